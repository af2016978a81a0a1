"""ima-admin mailbox …: what it makes, finds, puts right and shows."""

from harness import Tests, run, stored

with Tests() as t:
    admin = t.program("ima-admin")
    box = t.work / "bob"

    def mailbox(*words):
        return run(admin, "mailbox", *words)

    def deliver(subject):
        text = run(t.program("make-ima-message"), "--from", "a@a.example", "--to", "bob@b.example",
                   "--subject", subject, "--text", "-", stdin="hello\n").out
        done = run(t.program("server-give-recipient"), box, "-", "bob@b.example", stdin=text)
        t.equal(f"{subject} is delivered", done.code, 0)

    clean = "torn 0\nunfinished 0\nstrays 0\ntombstones 0\n"

    t.equal("a mailbox is made", mailbox("create", box).code, 0)
    t.equal("but not twice", mailbox("create", box).code, 64)
    t.equal("a new one is sound", mailbox("check", box).out, clean)

    for subject in ("one", "two"):
        deliver(subject)
    shown = mailbox("quota", box, "--messages", "5")
    t.equal("limits are set, use is shown", shown.out, "octets 0 of 0\nmessages 0 of 5\n")
    t.equal("one limit stays when the other is set", mailbox("quota", box, "--octets", "9").out,
            "octets 0 of 9\nmessages 0 of 5\n")
    t.equal("a size is as in settings", mailbox("quota", box, "--octets", "10 MiB").lines()[0],
            f"octets 0 of {10 << 20}")
    for limit in ("-1", "ten", "1.5", "5 MB", "99999999999999999999", ""):
        t.equal(f"{limit!r} is no limit", (mailbox("quota", box, "--octets", limit).code,
                                           mailbox("quota", box, "--messages", limit).code), (64, 64))
    t.equal("a number of messages has no unit", mailbox("quota", box, "--messages", "1 KiB").code, 64)
    t.equal("and nothing was set", mailbox("quota", box, "--octets", "9").lines()[1], "messages 0 of 5")
    t.equal("folders are shown", mailbox("stat", box).out,
            "folder messages=0 unseen=0 octets=0 role=inbox inbox\n")
    t.equal("what waits is no fault", mailbox("check", box, "--contents").code, 0)

    (box / "new" / "notes.txt").write_text("x")
    (box / "new" / ("0" * 64 + ".ima")).write_text("rubbish")
    found = mailbox("check", box)
    t.equal("odd things make check exit 1", found.code, 1)
    t.equal("and are named", found.out,
            clean + f"unreadable {'0' * 64}\nodd new/notes.txt\n")
    (box / "new" / "notes.txt").unlink()
    (box / "new" / ("0" * 64 + ".ima")).unlink()

    journal = box / "journal"
    journal.write_bytes(b"ima-journal 1 1\n" + b"garbage\n" * 3)
    found = mailbox("check", box)
    t.equal("a torn tail makes check exit 1", found.code, 1)
    t.contains("and is cut", found.out, "torn 24\n")
    kept = list(box.glob("journal.torn-*"))
    t.equal("and kept", [path.read_bytes() for path in kept], [b"garbage\n" * 3])
    for words in ((admin, "mailbox", "stat", box), (admin, "mailbox", "rebuild", box),
                  (admin, "mailbox", "compact", box), (t.program("ima-read"), box)):
        with journal.open("ab") as end:
            end.write(b"torn\n")
        found = run(*words)
        t.equal(f"{words[:-1]} goes on", found.code, 0)
        t.contains("and says what it cut", found.err, f" warning journal-torn mailbox={box} octets=5 ")
    journal.write_bytes(b"not a journal\n")
    found = mailbox("check", box)
    t.equal("a damaged journal makes check exit 1", found.code, 1)
    t.contains("and is named", found.out, "journal ")
    t.equal("what cannot be opened is told by the others", mailbox("stat", box).code, 75)
    t.equal("repair goes well", mailbox("repair", box).code, 0)
    t.equal("everything is there again", mailbox("stat", box).out.split()[1], "messages=2")
    t.equal("and sound", mailbox("check", box, "--contents").out, clean)
    t.equal("two messages", len(stored(box)), 2)

    for limit in range(3):
        deliver(f"three {limit}")
    t.equal("five messages", mailbox("repair", box).code, 0)
    t.equal("the journal is written anew", mailbox("compact", box).code, 0)
    t.equal("and everything is there", mailbox("stat", box).out.split()[1], "messages=5")
    t.equal("and sound", mailbox("check", box, "--contents").out, clean)

    index = t.work / "index"
    t.equal("the index may be elsewhere", mailbox("stat", box, "--index", index).code, 0)
    t.true("and is there", index.exists())
    t.equal("it is made anew", mailbox("rebuild", box, "--index", index).code, 0)

    (box / "format").write_text("ima-mailbox 2\n")
    found = mailbox("stat", box)
    t.equal("another version is refused", found.code, 75)
    t.contains("in words", found.err, 'the mailbox is "ima-mailbox 2"')
    t.contains("no mailbox is told as such", mailbox("check", t.work / "none").err,
               "there is no mailbox")
    t.equal("a number is a number", mailbox("quota", box, "--octets", "x").code, 64)
