"""Local delivery by hand: what server-give-recipient and server-handle-incoming-mail say and exit
with."""

from harness import Domain, Tests, authority, run, stored

with Tests() as t:
    b = Domain(t, authority(t.work), "b.example")
    bob, carol = b.add_user("bob"), b.add_user("carol")
    give = t.program("server-give-recipient")
    message = b.message("--to", "bob@b.example", "--bcc", "carol@b.example", "--bcc", "x@c.example")
    file = b.place / "message.ima"
    file.write_bytes(message)

    t.equal("from a file", run(give, bob, file, "bob@b.example").code, 0)
    text = next(bob.glob("new/*.ima")).read_text()
    t.true("nobody else's bcc", "bcc:" not in text, text)
    t.contains("the record says for whom", text, "recipient: bob@b.example\n")
    t.equal("again", run(give, bob, "-", "bob@b.example", stdin=message).code, 0)
    t.equal("once", len(stored(bob)), 1)
    relayed = b"".join(b"received: 2026-11-25T10:00:00Z a.example\n" for _ in range(51))
    relayed = message.replace(b"\nsubject:", b"\n" + relayed + b"subject:")
    t.equal("as many received: lines as a server accepts, and its own",
            run(give, b.add_user("dora"), stdin=relayed).code, 0)
    t.equal("without an address", run(give, carol, stdin=message).code, 0)
    t.contains("keeps every line", next(carol.glob("new/*.ima")).read_text(), "bcc: x@c.example\n")

    for what, words, stdin, code, rule in [
            ("not a message", [bob, "-"], b"hello\n\n", 65, "[version]"),
            ("half a message", [bob, "-"], message[:-3], 65, "[truncated]"),
            ("more than a message", [bob, "-"], message + b"x", 65, "[trailing]"),
            ("a damaged message", [bob, "-"], message.replace(b"\nhello", b"\nhallo"), 65,
             "[part-digest]"),
            ("no such file", [bob, b.place / "missing"], b"", 66, "[no-input]"),
            ("a directory", [bob, b.place], b"", 66, "[no-input]"),
            ("a wrong address", [bob, "-", "nobody"], message, 65, "[address-syntax]"),
            ("no mailbox", [b.place / "missing", "-"], message, 75, ""),
            ("no arguments", [], b"", 64, "")]:
        done = run(give, *words, stdin=stdin)
        t.equal(f"{what}: exit", done.code, code)
        t.contains(what, done.err, rule)
    t.equal("and nothing half there", (len(stored(bob)), list((bob / "tmp").iterdir())), (1, []))

    b.routes += ['"no@b.example" = { command = ["/bin/false"] }',
                 '"later@b.example" = { command = ["/bin/sh", "-c", "exit 75"] }',
                 f'"give@b.example" = {{ command = ["{give}", "{bob}", "-", "{{address}}"] }}']
    routes = 'hostparts = ["b.example"]\n[routes]\n' + "\n".join(b.routes) + "\n"
    handle = [t.program("server-handle-incoming-mail"), "--config", b.write("routes.toml", routes)]

    def handled(what, to, code, *lines):
        words = [word for address in to for word in ("--to", address)]
        done = run(*handle, stdin=b.message(*words, "--subject", what))
        t.equal(f"{what}: exit", done.code, code)
        for line in lines:
            t.true(f"{what}: {line}", line in done.lines(), done.out)

    handled("all", ["bob@b.example", "carol@b.example"], 0, "OK bob@b.example",
            "OK carol@b.example")
    handled("none", ["no@b.example"], 1, "FAIL no@b.example")
    handled("later", ["later@b.example"], 75, "DEFER later@b.example")
    handled("a mixture", ["bob@b.example", "no@b.example"], 2, "OK bob@b.example",
            "FAIL no@b.example")
    handled("by the shipped command", ["give@b.example"], 0, "OK give@b.example")
    before = len(stored(bob))
    handled("an unknown one", ["bob@b.example", "eve@b.example", "mallory@b.example"], 1,
            "NORECIPIENT eve@b.example", "NORECIPIENT mallory@b.example")
    t.equal("delivers nothing", len(stored(bob)), before)
    handled("somebody else's", ["bob@b.example", "x@c.example"], 0, "OK bob@b.example")
    t.equal("from a file, by its name", run(*handle, file).code, 0)
    t.equal("no such file", run(*handle, b.place / "missing").code, 66)
