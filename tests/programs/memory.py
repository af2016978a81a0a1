"""Memory does not grow with the size of a message, and what is fetched is what was sent.

A part of 1 GiB (48 MiB but in a full run) is made, sent, received, stored and fetched; no process
may have more than 32 MiB of resident memory. With it go an empty part, and names in other scripts.
"""

import hashlib
import os

from harness import FULL, Domain, Tests, authority, peak_memory, run_watched, stored

MIB = 1 << 20
SIZE = (1024 if FULL else 48) * MIB
MOST = 32 * MIB


def digest_of(path):
    sum_so_far = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(MIB):
            sum_so_far.update(piece)
    return sum_so_far.hexdigest()


def write_big(path):
    piece = os.urandom(MIB)
    with open(path, "wb") as file:
        for number in range(SIZE // MIB):
            file.write(number.to_bytes(8, "big") + piece[8:])


with Tests() as t:
    ca = authority(t.work)
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    bob = b.add_user("bob")
    bounds = f'max-size = "{SIZE // MIB + 1} MiB"'
    receive = b.start("server-receive", bounds)
    office = b.start("server-post-office")

    big, empty, text = a.place / "大きい.bin", a.place / "пусто", a.place / "text"
    write_big(big)
    empty.touch()
    text.write_text("hello\n")
    message = a.place / "message.ima"

    def watched(what, *words, stdout=None):
        done, peak = run_watched(words, stdout=stdout)
        t.equal(f"{what}: exit", (done.code, done.err), (0, ""))
        t.true(f"{what}: memory", 0 < peak < MOST, f"{peak / MIB:.1f} MiB")

    def served(what, server):
        peak = peak_memory(server.process.pid)
        t.true(f"{what}: memory", 0 < peak < MOST, f"{peak / MIB:.1f} MiB")

    watched("make-ima-message", t.program("make-ima-message"), "--from", "alice@a.example", "--to",
            "bob@b.example", "--text", text, "--attach", big, "--attach", empty, stdout=message)
    send = a.write("send.toml", a.send_settings(top=bounds))
    watched("server-send-mail", t.program("server-send-mail"), "--config", send, message)
    message.unlink()
    t.equal("stored once", len(stored(bob)), 1)
    served("server-receive", receive)

    fetch = b.write("fetch.toml", b.fetch_settings("bob"))
    copy = b.place / "copy"
    watched("fetch-mail", t.program("fetch-mail"), "--config", fetch, copy)
    served("server-post-office", office)
    t.equal("the same id on both sides", stored(copy), stored(bob))
    fetched = {p.name: digest_of(p) for p in copy.glob("msg/*/*/[0-9]-*")}
    t.equal("the same octets", fetched,
            {"2-大きい.bin": digest_of(big), "3-пусто": digest_of(empty)})
