"""A copy that is broken off goes on where it was, wherever that was, and only what is new moves over the
wire. What moved is counted by a proxy between the two programs, which also says when to break off."""

import json
import os
import random
import subprocess
import threading

from harness import FULL, Domain, Tests, authority, stored
from imrp import Client, Copy, give
from proxy import Proxy

MIB = 1 << 20
NOTES = 60 if FULL else 20


class Run:
    """fetch-mail, killed once so many octets have come."""

    def __init__(self, t, b, copy, proxy, after, *words):
        config = b.write("bob.fetch.toml", b.fetch_settings("bob"))
        started = threading.Event()

        def at(count):
            started.wait()
            if count >= after:
                self.process.kill()
            return count >= after

        proxy.begin(at)
        self.process = t.started(subprocess.Popen(
            [str(t.program("fetch-mail")), "--config", str(config), *words, str(copy.place)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        started.set()
        self.code = self.process.wait(60)


def killed_until_done(t, b, copy, proxy, most, *words):
    """Runs it again and again; returns what moved altogether, and how many runs it took."""
    total = 0
    for runs in range(1, 80):
        code = Run(t, b, copy, proxy, CHANCE.randrange(most), *words).code
        total += proxy.count
        if code == 0:
            return total, runs
        t.true("killed, or heard of a lost connection", code in (-9, 75), code)
    copy.fetch(*words)
    return total + proxy.count, 80


def broken_download(t, b, proxy, photo):
    copy = Copy(t, b, "broken")
    proxy.begin(lambda count: count > 4 * MIB)
    copy.fetch(code=75)
    first = proxy.count
    proxy.begin()
    done = copy.fetch("--json")
    told = [json.loads(line) for line in done.lines()]
    t.equal("it is told", [(m["folder"], m["subject"], m["verified-domain"]) for m in told],
            [("inbox", "large", "")])
    t.equal("by the id it has", [m["id"] for m in told], stored(copy.place))
    t.contains("and its sender", told[0]["from"], "alice@b.example")
    t.true("nearly nothing came twice", first + proxy.count < 10 * MIB + MIB // 2,
           (first, proxy.count))
    t.equal("it is whole", [p.read_bytes() == photo for p in copy.place.glob("msg/*/*/2-photo.jpg")],
            [True])


def killed_downloads(t, b, proxy, photo):
    copy = Copy(t, b, "killed")
    total, runs = killed_until_done(t, b, copy, proxy, MIB if FULL else 5 * MIB)
    t.true("no run could have brought it all", runs > 2, runs)
    t.true("what came before a kill was kept", total < 16 * MIB, total)
    t.equal("it is whole", [p.read_bytes() == photo for p in copy.place.glob("msg/*/*/2-photo.jpg")],
            [True])


def only_what_is_new(t, b, bob, there, proxy):
    copy = Copy(t, b, "incremental")
    for number in range(NOTES):
        there.append("notes", f"note {number}", text=b"0123456789abcde\n" * 200)
    proxy.begin()
    copy.fetch("--folder", "notes", "--folder", "inbox")
    t.true("all came", proxy.count > 10 * MIB + NOTES * 3200, proxy.count)
    proxy.begin()
    copy.fetch()
    nothing = proxy.count
    t.true("then nothing", nothing < 16384, nothing)
    give(t, b, bob, "new")
    proxy.begin()
    t.equal("one is new", len(copy.fetch().lines()), 1)
    t.true("and no other moves", proxy.count - nothing < 2048, (proxy.count, nothing))
    # As a run leaves it that is killed before it noted anything.
    for note in (copy.place / "sync").iterdir():
        note.unlink()
    t.equal("what is here does not come again", copy.fetch().out, "")
    t.equal("no copy twice", len(stored(copy.place)), len(stored(bob)))


def killed_while_emptying(t, b, bob, there, proxy):
    copy = Copy(t, b, "archive")
    subjects = sorted(s for f in ("inbox", "notes") for s in there.messages(f))
    killed_until_done(t, b, copy, proxy, MIB if FULL else 4 * MIB, "--delete-after")
    copy.fetch("--delete-after")
    here = copy.office()
    t.equal("every message is here, once", sorted(here.subject(f, i) for f in ("inbox", "notes")
                                                  for i in here.ids(f)), subjects)
    t.equal("and none there", stored(bob), [])
    copy.server.stop()


CHANCE = random.Random(20261125)

with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")
    proxy = Proxy(office.address)
    b.office_hosts["b.example"] = proxy.address
    photo = os.urandom(10 * MIB)
    (b.place / "photo.jpg").write_bytes(photo)
    give(t, b, bob, "large", attach=[b.place / "photo.jpg"])
    there = Client(t, office.address, ca, "bob")
    there.ask("CREATE-FOLDER notes")
    broken_download(t, b, proxy, photo)
    killed_downloads(t, b, proxy, photo)
    only_what_is_new(t, b, bob, there, proxy)
    killed_while_emptying(t, b, bob, there, proxy)
    t.equal("an orderly end", office.stop(), 0)
