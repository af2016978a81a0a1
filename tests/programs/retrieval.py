"""A user proves himself and copies his mail, once; what he may not do is refused."""

import os

from harness import Domain, Tests, authority, run

with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    short = b.write("short.password", "seven77\n")
    short.chmod(0o600)
    refused = run(t.program("ima-admin"), "user", "password", "bob", "--users", b.place / "users.toml",
                  "--password-file", short)
    t.equal("a short password", (refused.code, "at least 8 octets" in refused.err), (78, True))
    again = run(t.program("ima-admin"), "user", "add", "bob", "--users", b.place / "users.toml",
                "--mailbox", "bob", "--password-file", b.place / "bob.password")
    t.equal("add him again", again.code, 1)
    t.true("no password in clear", "horse" not in (b.place / "users.toml").read_text())
    server = b.start("server-post-office")

    photo, empty = b.place / "photo.jpg", b.place / "empty"
    photo.write_bytes(os.urandom(300_000))
    empty.touch()

    def give(subject):
        message = b.message("--to", "bob@b.example", "--subject", subject, "--attach", photo,
                            "--attach", empty)
        given = run(t.program("server-give-recipient"), bob, "-", "bob@b.example", stdin=message)
        t.equal(f"give {subject}", given.code, 0)

    give("One")
    copy = b.place / "copy"
    secret = b.place / "bob.password"
    right = secret.read_text()
    secret.write_text("wrong horse\n")
    t.equal("a wrong password", b.fetch("bob", copy).code, 1)
    secret.write_text(right)

    fetched = b.fetch("bob", copy)
    t.equal("fetch", fetched.code, 0)
    t.equal("one line", [line[-4:] for line in fetched.lines()], [" One"])
    t.equal("the part as it was sent",
            [p.read_bytes() for p in copy.glob("msg/*/*/2-photo.jpg")], [photo.read_bytes()])
    t.equal("no index in the mailbox, which other hosts may serve",
            [p.name for p in bob.glob("index*")], [])
    t.equal("but one among this host's own",
            len([p for p in t.work.glob("cache/ima/index/*/*") if "-" not in p.name]), 1)
    t.equal("nothing new", b.fetch("bob", copy).out, "")
    give("Two")
    t.equal("only the new one", [line[-4:] for line in b.fetch("bob", copy).lines()], [" Two"])
    server.stop()
    with (bob / "journal").open("a") as journal:
        journal.write("torn")
    server = b.start("server-post-office")
    t.equal("fetch behind a torn journal", b.fetch("bob", copy).code, 0)
    t.true("it is told", server.wait_for(f"journal-torn mailbox={bob} octets=4"))
    t.true("no password in the log", "horse" not in server.text())
    t.equal("an orderly end", server.stop(), 0)
