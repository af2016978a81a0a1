"""The peer and the programs share mailboxes: each reads what the other wrote."""

import os
import re
import stat

import mailbox
import message
from lines import Broken
from support import TESTS, Domain, Tests, authority, run

AWKWARD = ["a/b\\c:d*e?f\"g<h>i|j", "...", ". .", "dots...", "x" * 200, "é" * 61 + "ab",
           "a\u202eb\ufeffc\u2060d", ".hidden", "2-2-x", "空.bin", "a\u00a0", "COM1", "x" * 118 + ". y"]


def page_example(t):
    """The journal that docs/mailbox.md prints."""
    page = (TESTS.parent / "docs" / "mailbox.md").read_text()
    text = re.search(r"^```\n(ima-journal 1 .*?)```$", page, re.M | re.S)[1].encode()
    journal = mailbox.read_journal(text)
    t.equal("the page's journal", (journal.folders, journal.messages, journal.torn),
            ({1: ("inbox", "inbox")}, {}, 0))
    dump = re.findall(r"^[0-9a-f]{8}: ((?:[0-9a-f ]{5}){1,8}) ", page, re.M)
    octets = bytes.fromhex("".join(dump))
    t.equal("the page's octets", octets, text[:len(octets)])
    damage(t, text)


def damage(t, text):
    def read(octets):
        try:
            return mailbox.read_journal(octets)
        except Broken as broken:
            return broken.rule

    appends = [m.end() for m in re.finditer(rb" c [^\n]*\n", text)]
    for end in range(appends[-2] + 1, appends[-1]):
        cut = read(text[:end])
        t.equal(f"cut at {end}", (cut.seq, cut.torn), (6, end - appends[-2]))
    t.equal("what follows in other octets", read(text + b"\0\r\n\xff").torn, 4)
    for at in (appends[0] + 3, appends[1] + 30, appends[2] - 3):
        spoiled = text[:at] + b"z" + text[at + 1:]
        t.equal(f"spoiled at {at}", read(spoiled), "journal-damaged")
    lines = text.splitlines(keepends=True)
    t.equal("an append that is missing", read(b"".join(lines[:3] + lines[5:])), "journal-damaged")
    t.equal("an append twice", read(b"".join(lines[:5] + lines[3:])), "journal-damaged")


def letters(a):
    """Messages of every shape that section 3.3 tells apart."""
    def letter(subject, *parts, to="bob@b.example"):
        return message.compose([("from", "alice@a.example"), ("to", to), ("bcc", "bob@b.example"),
                                ("bcc", "carol@b.example"), ("subject", subject)], parts)

    yield letter("no parts")
    yield letter("inline", (b"one", "text/plain", {}), (b"<p>", "text/html", {"role": "alternative"}))
    yield letter("largest inline", (b"x" * 65536, "text/plain", {}))
    yield letter("too large", (b"x" * 65537, "text/plain", {}), (b"behind", "text/plain", {}))
    yield letter("named text", (b"a", "text/plain", {"name": "a.txt"}))
    yield letter("attached text", (b"a", "text/plain", {"role": "attachment"}))
    yield letter("not text", (b"a", "image/png", {"role": "inline", "cid": "1"}))
    yield letter("names", *[(str(i).encode(), "image/png", {"name": n})
                            for i, n in enumerate(AWKWARD)])


def written_by_server(t, a, b):
    """server-receive writes, the peer reads."""
    bob, carol = b.add_user("bob"), b.add_user("carol")
    server = b.start("server-receive")
    for whole in letters(a):
        header, bodies = message.split(whole)
        subject = header.one("subject")
        t.equal(f"sent: {subject}", a.send(whole).code, 0)
        for place, who in ((bob, "bob"), (carol, "carol")):
            record, found, octets = mailbox.Mailbox(place).read(header.digest)
            t.equal(f"{subject}: its parts", octets, bodies)
            t.equal(f"{subject}: whose it is", record["recipient"], f"{who}@b.example")
            t.equal(f"{subject}: the proof", record["verified-domain"], "a.example")
            message.date(record["received"])
            t.equal(f"{subject}: only his own bcc:", [str(x) for x in found.all("bcc")],
                    [f"{who}@b.example"])
    t.equal("an orderly end", server.stop(), 0)
    return bob


def modes(t, place):
    """Files have mode 0600, directories 0700."""
    found = set()
    for directory, _, files in os.walk(place):
        found.add(("directory", stat.S_IMODE(os.stat(directory).st_mode)))
        found |= {("file", stat.S_IMODE(os.stat(os.path.join(directory, f)).st_mode)) for f in files}
    t.equal(f"modes in {place.name}", found, {("directory", 0o700), ("file", 0o600)})


def written_by_peer(t, a, b):
    """The peer makes a mailbox and delivers; the programs deliver beside it and serve it."""
    store = mailbox.create(b.place / "dora")
    secret = b.write("dora.password", "correct horse\n")
    secret.chmod(0o600)
    b.admin("user", "add", "dora", "--users", b.place / "users.toml", "--mailbox", "dora",
            "--password-file", secret)
    sent = []
    for at, whole in enumerate(letters(a)):
        header, bodies = message.split(whole)
        sent.append(header.digest)
        if at % 2:
            given = run(t.program("server-give-recipient"), store.path, "-", "bob@b.example",
                        stdin=whole)
            t.equal("given by the program", given.code, 0)
        t.equal("delivered once", store.deliver(header, bodies, message.address("bob@b.example")),
                at % 2 == 0)
        again = run(t.program("server-give-recipient"), store.path, "-", "bob@b.example",
                    stdin=whole)
        t.equal("given again", again.code, 0)
    t.equal("each is there once", store.waiting(), sorted(sent))
    modes(t, store.path)
    b.start("server-post-office")
    fetched = b.fetch("dora", b.place / "copy")
    t.equal("all are fetched", (fetched.code, len(fetched.lines())), (0, len(sent)))
    journal, copies = store.journal(), mailbox.Mailbox(b.place / "copy")
    t.equal("all are taken in", (sorted(journal.messages), store.waiting()), (sorted(sent), []))
    for which in sent:
        _, header, bodies = store.read(which)
        t.equal("the copy is the same", copies.read(which)[1:], (header, bodies))
        t.equal("its size", journal.messages[which].size,
                len(header.octets()) + sum(map(len, bodies)))
        t.true("it is not delivered again", not store.deliver(header, bodies, header.recipients[0]))
    t.equal("nothing is left in tmp", list((store.path / "tmp").iterdir()), [])


with Tests() as t:
    ca = authority(t.work)
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    page_example(t)
    modes(t, written_by_server(t, a, b))
    written_by_peer(t, a, b)
