"""Closed and full standard streams, and directories and devices in place of files: a program says
what is wrong by its exit code, and nothing of its goes into a stream that the caller closed."""

import shlex
import shutil

from harness import Domain, Tests, authority, run


def shell(redirection, *words, stdin=b""):
    """Runs a program with its streams redirected as a shell does it."""
    command = " ".join(shlex.quote(str(w)) for w in words)
    # A limit of memory finds what reads a device without an end.
    return run("sh", "-c", f"ulimit -v 4000000; exec {command} {redirection}", stdin=stdin)


def no_output(t, domain, message):
    """Results that cannot be written make the exit code, at the latest when the program ends."""
    mailbox = domain.place / "bob"
    run(t.program("server-give-recipient"), mailbox, "-", stdin=message)
    users = domain.place / "users.toml"
    for words in (["ima-read", mailbox], ["ima-read", mailbox, "inbox"], ["ima-read", "--help"],
                  ["ima-admin", "user", "list", "--users", users],
                  ["ima-admin", "mailbox", "stat", mailbox], ["ima-sendmail", "--version"],
                  ["make-ima-message", "--from", "a@a.example"]):
        for redirection in (">/dev/full", ">&-"):
            found = shell(redirection, t.program(words[0]), *words[1:])
            t.equal(f"{words} {redirection}", (found.code, "[output]" in found.err), (75, True))


def output_that_fails_when_closed(t, domain):
    """As a file on NFS without room does."""
    strace = ("strace", "-o", "/dev/null")
    if not shutil.which("strace") or run(*strace, "true").code != 0:
        return
    out = domain.place / "out"
    found = shell(f">{out}", *strace, "-P", out, "-e", "inject=close:error=EDQUOT",
                  t.program("make-ima-message"), "--from", "a@a.example")
    t.equal("output that fails when closed", (found.code, "[output]" in found.err), (75, True))


def no_error_output(t):
    """A complaint that nobody can hear leaves the exit code as it is."""
    for words, code in ((["make-ima-message", "--from", "nobody"], 64),
                        (["ima-sendmail", "-bs"], 64), (["ima-translate", "--from", "eml", "--to",
                                                          "ima", "/nowhere"], 66)):
        for redirection in ("2>/dev/full", "2>&-", "2>&- >&- <&-"):
            t.equal(f"{words} {redirection}",
                    shell(redirection, t.program(words[0]), *words[1:]).code, code)


def closed_streams_stay_closed(t, domain):
    users = domain.place / "users.toml"
    before = users.read_text()
    shell("2>&- >&-", t.program("ima-admin"), "user", "add", "bob", "--users", users, "--mailbox", "x")
    shell("2>&- >&- <&-", t.program("ima-admin"), "user", "add", "eve", "--users", users, "--mailbox",
          "x")
    t.equal("the file of users", users.read_text(), before + '\n[users."eve"]\nmailbox = "x"\n')


def no_files(t, domain):
    """What is no file, or has no end, is refused with its name."""
    send = domain.write("send.toml", domain.send_settings())
    users = domain.place / "users.toml"
    admin, sender = t.program("ima-admin"), t.program("server-send-mail")
    link = domain.place / "link.toml"
    link.symlink_to("nowhere.toml")
    for place in (t.work, "/dev/zero"):
        for words, code in (
                ([sender, "--config", place, "--check-config"], 78),
                ([admin, "user", "list", "--users", place], 78),
                ([admin, "user", "add", "x", "--mailbox", "x", "--users", place], 78),
                ([admin, "user", "certificate", "bob", "--users", users, "--add", place], 66),
                ([admin, "check-certificate", "--peer", "client", place, "b.example"], 66)):
            found = shell("", *words)
            t.equal(f"{words}", (found.code, str(place) in found.err), (code, True))
        broken = domain.write("broken.toml", send.read_text().replace(str(domain.chain), str(place)))
        found = shell("", sender, "--config", broken, stdin=domain.message("--to", "x@b.example"))
        t.equal(f"{place} as a chain", (found.code, str(place) in found.err), (78, True))
    found = shell("", admin, "user", "add", "x", "--mailbox", "x", "--users", link)
    t.equal("a link to nowhere", (found.code, link.is_symlink()), (78, True))


with Tests() as tests:
    a = Domain(tests, authority(tests.work), "a.example")
    a.add_user("bob")
    no_output(tests, a, a.message("--to", "bob@a.example"))
    output_that_fails_when_closed(tests, a)
    no_error_output(tests)
    closed_streams_stay_closed(tests, a)
    no_files(tests, a)
