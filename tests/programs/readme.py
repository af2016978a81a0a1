"""The two programs of README.md do what it says."""

import pathlib

from harness import Domain, Tests, authority, run

with Tests() as t:
    built = t.programs.parent / "examples" / "readme"
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    server = b.start("server-receive")
    pathlib.Path(a.place / "ca.pem").write_bytes(ca.pem.read_bytes())
    (a.place / "one.ima").write_bytes(a.message("--to", "bob@b.example", "--subject", "Hi \u202e"))
    (a.place / "two.ima").write_bytes(a.message("--to", "no@b.example"))

    sent = run(built / "readme-send", "one.ima", server.address, cwd=a.place)
    t.equal("sent", (sent.code, sent.out), (0, "OK bob@b.example\n"))
    sent = run(built / "readme-send", "two.ima", server.address, cwd=a.place)
    t.equal("refused", sent.code, 1)
    t.contains("refused, with the reason", sent.out, "b.example: REJECT recipients")
    t.contains("refused, by recipient", sent.out, "NORECIPIENT no@b.example")
    sent = run(built / "readme-send", "missing", server.address, cwd=a.place)
    t.equal("no such file", sent.code, 1)
    t.contains("no such file, and why", sent.err, "[no-input]")

    listed = run(built / "readme-list", bob)
    t.equal("listed", (listed.code, listed.out), (0, "alice@a.example: Hi \\u202e\n"))
    t.equal("no mailbox", run(built / "readme-list", a.place).code, 1)
