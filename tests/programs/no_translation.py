"""fetch-mail of a build without translation says that it can keep no Maildir, and makes none."""

from harness import Domain, Tests, authority

with Tests() as t:
    b = Domain(t, authority(t.work), "b.example")
    b.add_user("bob")
    server = b.start("server-post-office")
    maildir = b.place / "maildir"
    done = b.fetch("bob", b.place / "copy", "--maildir", maildir)
    t.equal("it is refused", done.code, 64)
    t.contains("and why", done.err, "[no-translation]")
    t.true("nothing is made", not maildir.exists())
    t.equal("without a Maildir it fetches", b.fetch("bob", b.place / "copy").code, 0)
    t.equal("an orderly end", server.stop(), 0)
