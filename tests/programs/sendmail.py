"""sendmail PROGRAMS: git send-email, mutt and mailx send IMA messages through ima-sendmail, by a
command and by a post office; its options, its exit codes. A program that is not installed is left out, with a word about it."""

import shutil
import subprocess

from harness import Domain, Tests, authority, run, stored


class Setting:
    """Two domains, and ima-sendmail in the first."""

    def __init__(self, t):
        self.t = t
        ca = authority(t.work)
        hosts = {"c.example": "127.0.0.1:1"}  # nobody listens there
        self.a = Domain(t, ca, "a.example", hosts)
        self.b = Domain(t, ca, "b.example", hosts)
        self.boxes = {user: self.b.add_user(user) for user in ("bob", "carol", "dan", "hidden")}
        self.b.routes.append('"later@b.example" = { command = ["/bin/sh", "-c", "exit 75"] }')
        self.b.start("server-receive")
        send = self.a.write("send.toml", self.a.send_settings())
        self.config = self.a.write("sendmail.toml", self.settings(
            f'["{t.program("server-send-mail")}", "--config", "{send}"]'))
        self.program = t.work / "sendmail"  # one path, as programs want it
        self.program.write_text(f'#!/bin/sh\nexec {t.program("ima-sendmail")} "$@"\n')
        self.program.chmod(0o755)
        self.env = {"IMA_SENDMAIL_CONFIG": str(self.config), "HOME": str(t.work),
                    "EMAIL": "alice@a.example", "LC_ALL": "C.UTF-8"}
        self.seen = set()

    def use_post_office(self):
        """From now on alice's post office sends; her settings are where her home has them."""
        a = self.a
        self.boxes["alice"] = a.add_user("alice")
        a.admin("user", "address", "alice", "--add", "alice@a.example", "--users",
                a.place / "users.toml")
        a.start("server-post-office", sections=(
            "[submission]\n" + a.host_table(a.hosts).replace("[hosts]", "[submission.hosts]") +
            a.tls().replace("tls", "submission.tls")))
        a.write("fetch-mail.toml", a.fetch_settings("alice"))
        place = self.t.work / "home" / ".config" / "ima"
        place.mkdir(parents=True)
        self.config = place / "ima-sendmail.toml"
        self.config.write_text('author = "Alice Ä <alice@a.example>"\nsave = "inbox"\n'
                               f'post-office = "{a.place}/fetch-mail.toml"\n')
        del self.env["IMA_SENDMAIL_CONFIG"]
        self.env["HOME"] = str(self.t.work / "home")

    @staticmethod
    def settings(command):
        return f'command = {command}\ndomain = "a.example"\n'

    def send(self, *words, stdin=b"", env=None):
        return run(self.program, *words, stdin=stdin, env={**self.env, **(env or {})})

    def news(self, user):
        """The messages that came for a user since the last look, as text."""
        found = []
        for one in stored(self.boxes[user]):
            if (user, one) in self.seen:
                continue
            self.seen.add((user, one))
            place = next(p for p in self.boxes[user].rglob(f"{one}*") if p.suffix in ("", ".ima"))
            file = place / "message.ima" if place.is_dir() else place
            found.append(file.read_text(errors="replace"))
        return found


def options(t, s):
    mail = b"From: alice@a.example\nTo: bob@b.example\nBcc: carol@b.example\nSubject: s\n\ntext\n"
    t.equal("-t sends", s.send("-t", "-i", stdin=mail).code, 0)
    bob, carol = s.news("bob"), s.news("carol")
    t.equal("to each recipient once", (len(bob), len(carol)), (1, 1))
    t.true("nobody sees a hidden recipient", "carol@" not in bob[0], bob[0])
    t.contains("an id is added", bob[0], "\nid: ")
    t.contains("a date is added", bob[0], "\ndate: ")

    s.send("-oi", "-fx@a.example", "-F", "Xaver", "-B8BITMIME", "--", "bob@b.example",
           stdin=b"Subject: no author\n\n.\nbehind the dot\n")
    got = s.news("bob")[0]
    t.contains("-f and -F name the author", got, "\nfrom: Xaver <x@a.example>\n")
    t.contains("-oi: a dot is a dot", got, "\n.\nbehind the dot\n")
    s.send("bob@b.example", stdin=b"Subject: x\n\nbefore\n.\nbehind\n")
    got = s.news("bob")[0]
    t.true("without -i a dot ends the mail", "before" in got and "behind" not in got, got)
    t.contains("without -f the author is the user", got, "@a.example\n")
    s.send("-i", "Dan <dan@B.example>", stdin=b"Subject: x\n\ny\n")
    t.equal("a recipient may have a name", len(s.news("dan")), 1)

    bare = s.a.write("bare.toml", s.config.read_text().replace(
        'domain = "a.example"', 'author = "alice@a.example"'))
    for to in ('"a b"@b.example', "x@[192.0.2.1]", "root", "dan@c_d.example", "dan@b.example eve@"):
        done = s.send("-C", bare, "-t", "-i", stdin=f"From: alice@a.example\nTo: bob@b.example\n"
                                        f"Cc: carol@b.example, {to}\n\nx\n".encode())
        t.equal(f"-t with {to[:20]}", done.code, 67)
        t.contains(f"-t with {to[:20]}: why", done.err, "[recipient-address]")
    many = ",\n ".join(f"u{n}@b.example" for n in range(1000)).encode()
    done = s.send("-t", "-i", stdin=b"From: alice@a.example\nTo: bob@b.example\nCc: " + many + b"\n\nx\n")
    t.equal("-t with more than a message names", done.code, 65)
    t.contains("-t with more than a message names: why", done.err, "[recipients-limit]")
    t.equal("nobody has got anything", (s.news("bob"), s.news("carol")), ([], []))
    s.send("-t", "-i", stdin=b"From: alice@a.example\nTo: Us: bob@b.example, carol@b.example;\n"
                             b"Cc: nobody: ;\n\nx\n")
    t.equal("-t with a group", (len(s.news("bob")), len(s.news("carol"))), (1, 1))

    # As cron and mailx name people: without a host.
    home = s.a.write("home.toml", bare.read_text() + 'domain = "b.example"\n')
    done = s.send("-C", home, "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "-t",
                  stdin=b"From: root (Cron Daemon)\nTo: bob\n\nx\n")
    t.equal("-t with a name without a host", done.code, 0)
    t.equal("and an argument", s.send("-C", home, "-i", "carol", stdin=b"Subject: x\n\nx\n").code, 0)
    t.equal("are at the domain of the settings", (len(s.news("bob")), len(s.news("carol"))), (1, 1))

    for words, code in ((["-bs"], 64), (["-bd"], 64), (["-bp"], 64), (["--nonsense"], 64),
                        (["-f"], 64), (["-t"], 64), ([], 64), (["-C", bare, "nobody"], 67),
                        (["x@[192.0.2.1]"], 67), (["nobody@b.example"], 69),
                        (["x@c.example"], 75), (["-C", "none", "x@b.example"], 78)):
        done = s.send(*words, stdin=b"From: a@a.example\n\nx\n")
        t.equal(f"exit code of {words}", done.code, code)
        t.true(f"{words}: a reason is given", done.err, done.err)
    done = s.send("-i", "bob@b.example", "later@b.example", stdin=b"From: a@a.example\n\nx\n")
    t.equal("one has it, and another may later", (done.code, len(s.news("bob"))), (75, 1))
    done = s.send("-i", "bob@b.example, Carol <carol@b.example>", stdin=b"From: a@a.example\n\nx\n")
    t.equal("an argument may name several", (done.code, len(s.news("bob")), len(s.news("carol"))),
            (0, 1, 1))
    done = s.send("-i", "bob@b.example", stdin=b"From: a@a.example\nX: \xff\n\nx\n")
    t.equal("what a message cannot say is told", (done.code, len(s.news("bob"))), (0, 1))
    t.contains("and where", done.err, "ima-sendmail: header: holds what no header line can say; "
                                      "the original is kept [header]\n")
    t.contains("-bs is refused clearly", s.send("-bs").err, "SMTP on standard input")
    t.equal("--help", s.send("--help").code, 0)
    loop = b"Received: from x\n" * 60 + mail
    t.equal("a loop ends", s.send("-t", "-i", stdin=loop).code, 69)
    resent = b"Resent-From: Alice <alice@a.example>\nFrom: eve@c.example\nTo: bob@b.example\n\nx\n"
    t.equal("mail may be sent on", s.send("-t", stdin=resent).code, 0)
    got = s.news("bob")[0]
    for line in ("mailer: Alice <alice@a.example>", "via: alice@a.example", "from: eve@c.example"):
        t.contains("by who sends it on", got, f"\n{line}\n")
    foreign = s.send("-i", "bob@b.example", stdin=b"From: eve@e.example\n\nx\n")
    t.equal("a domain without its certificate cannot send", foreign.code, 78)


def hidden(t, s):
    """Nothing that others get says who was hidden from them, however the field is written."""
    fields = ("Bcc: hidden@b.example", "Bcc: Mr Hidden (the boss) <hidden@b.example>",
              "Bcc: Hidden: hidden@b.example;", "bcc : hidden@b.example", "BCC\t:\r\n\thidden@b.example",
              "Bcc:\n hidden@b.example\nbCc: (hidden) bob@b.example",
              "X-Odd: \udcff\nBcc: hidden@b.example", "Bcc: hidden@b.example\nFrom here\nBcc: hidden@b.example")
    for n, field in enumerate(fields):
        mail = f"{field}\nFrom: alice@a.example\nTo: bob@b.example\nSubject: {n}\n\nx\n"
        done = s.send("-t", "-i", stdin=mail.encode(errors="surrogateescape"))
        told = sorted(l for l in done.err.splitlines() if not l.startswith("ima-sendmail: "))
        t.equal(f"{field!r}", (done.code, told), (0, ["OK bob@b.example", "OK hidden@b.example"]))
        t.equal(f"{field!r}: he has it", len(s.news("hidden")), 1)
    s.send("-i", "bob@b.example", stdin=b"From: alice@a.example\nResent-Bcc: hidden@b.example\n"
                                        b"Bcc: hidden, hidden@[192.0.2.1]\n\nx\n")
    t.equal("bob has them all", len(s.news("bob")), len(fields) + 1)
    told = [p.read_text(errors="replace") for p in s.boxes["bob"].rglob("*")
            if p.is_file() and b"idden" in p.read_bytes()]
    t.equal("nothing that bob has says so", told, [])

    s.send("-t", "-i", stdin=b"From: alice@a.example\nTo: carol@b.example\nSubject: again\n"
                             b"Resent-To: bob@b.example\nResent-Bcc: hidden@b.example\n\nx\n")
    t.equal("what is sent on goes to whom it is sent on to",
            [len(s.news(user)) for user in ("carol", "bob", "hidden")], [0, 1, 1])


def git(t, s):
    where = t.work / f"repository{len(s.seen)}"
    env = {**s.env, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}

    def run_git(*words):
        return run("git", "-C", where, "-c", "user.name=Alice Ä", "-c",
                   "user.email=alice@a.example", *words, env=env)

    where.mkdir()
    run_git("init", "-q")
    (where / "file").write_text("Grüße\n")
    run_git("add", "file")
    run_git("commit", "-q", "-m", "Add a file for Jürgen")
    (where / "file").write_text("Grüße\nund Küsse\n")
    run_git("commit", "-q", "-a", "-m", "Change it")
    done = run_git("send-email", f"--sendmail-cmd={s.program}", "--to=bob@b.example",
                   "--cc=carol@b.example", "--confirm=never", "--suppress-cc=all", "--root")
    if "is not a git command" in done.err:
        print("git send-email is not installed: left out")
        return
    t.true("git send-email succeeds", done.code == 0, done.err)
    got = sorted(s.news("bob"), key=lambda m: "[PATCH 2/2]" in m)
    t.equal("git: bob has both patches", len(got), 2)
    t.contains("git: the subject", got[0], "\nsubject: [PATCH 1/2] Add a file for Jürgen\n")
    t.contains("git: the author", got[0], "\nfrom: Alice Ä <alice@a.example>\n")
    first = next(line for line in got[0].splitlines() if line.startswith("id: "))
    t.contains("git: the second answers the first", got[1], "\nin-reply-to: " + first[4:] + "\n")
    t.contains("git: the patch", got[1], "\n+und Küsse\n")
    t.equal("git: carol has them too", len(s.news("carol")), 2)


def mutt(t, s):
    if not shutil.which("mutt"):
        print("mutt is not installed: left out")
        return
    picture = t.work / "picture in Kyōto.png"
    picture.write_bytes(bytes(range(256)) * (1 + len(s.seen)))  # another each time
    settings = t.work / "muttrc"
    settings.write_text(f'set sendmail="{s.program} -oem -oi"\nset from="alice@a.example"\n'
                        'set realname="Alice Ä"\nset copy=no\nset charset="utf-8"\n'
                        'set use_envelope_from=yes\n')
    done = run("mutt", "-n", "-F", settings, "-s", "Grüße", "-a", picture, "-b", "carol@b.example",
               "--", "bob@b.example", stdin="Hallo Jürgen\n", env=s.env)
    t.equal("mutt succeeds", done.code, 0)
    got = s.news("bob")[0]
    t.contains("mutt: the subject", got, "\nsubject: Grüße\n")
    t.contains("mutt: the author", got, "\nfrom: Alice Ä <alice@a.example>\n")
    t.contains("mutt: the text", got, "Hallo Jürgen\n")
    t.contains("mutt: the attachment's name", got, " name=picture in Kyōto.png\n")
    kept = [p for p in s.boxes["bob"].rglob("*") if p.is_file() and
            p.read_bytes() == picture.read_bytes()]
    t.equal("mutt: the attachment", len(kept), 1)
    t.equal("mutt: the hidden recipient has it", len(s.news("carol")), 1)
    done = run("mutt", "-n", "-F", settings, "-s", "x", "--", "nobody@b.example", stdin="x\n",
               env=s.env)
    t.true("mutt hears of a refusal", done.code != 0, done.code)


def mailx(t, s):
    if not shutil.which("mailx"):
        print("mailx is not installed: left out")
        return
    settings = t.work / "mailrc"
    settings.write_text(f"set sendmail={s.program}\nset asksub\n")
    done = run("mailx", "-n", "-s", "by mailx", "-c", "carol@b.example", "-r", "alice@a.example",
               "bob@b.example", stdin="from a script\n", env={**s.env, "MAILRC": str(settings)})
    t.equal("mailx succeeds", done.code, 0)
    got = []
    for _ in range(100):  # mailx sends in the background
        got = s.news("bob")
        if got:
            break
        subprocess.run(["sleep", "0.1"], check=True)
    t.equal("mailx: bob has it", len(got), 1)
    t.contains("mailx: the subject", got[0], "\nsubject: by mailx\n")
    t.contains("mailx: the text", got[0], "from a script\n")


def post_office(t, s):
    """What a user without a server of his own expects."""
    s.use_post_office()
    s.news("carol")
    mail = b"To: bob@b.example\nBcc: carol@b.example\nSubject: by cron\n\ntext\n"
    done = s.send("-t", "-i", stdin=mail)
    t.equal("by the post office", (done.code, done.err), (0, "OK bob@b.example\nOK carol@b.example\n"))
    got = s.news("bob")[0]
    t.contains("the author is the settings'", got, "\nfrom: Alice Ä <alice@a.example>\n")
    t.true("nobody sees a hidden recipient", "carol@" not in got, got)
    t.equal("he has it too", len(s.news("carol")), 1)
    kept = s.news("alice")
    t.equal("a copy is kept", len(kept), 1)
    t.equal("another's name is refused",
            s.send("-i", "bob@b.example", stdin=b"From: eve@a.example\n\nx\n").code, 69)
    t.equal("an unknown recipient", s.send("-i", "nobody@b.example", stdin=b"\nx\n").code, 69)
    wrong = s.config.with_name("wrong.toml")
    for text, key in (('command = ["true"]\npost-office = "x"\ndomain = "a.example"\n', "post-office"),
                      ('domain = "a.example"\n', "command"), ('post-office = "x"\n', "domain"),
                      ('command = ["true"]\ndomain = "a.example"\nsave = "x"\n', "save")):
        wrong.write_text(text)
        done = s.send("-C", wrong, "bob@b.example", stdin=b"\nx\n")
        t.equal(f"settings {text!r}", (done.code, f" {key}: " in done.err), (78, True))


def post_office_away(t, s):
    s.a.servers["server-post-office"].stop()
    t.equal("while it is away", s.send("-i", "bob@b.example", stdin=b"\nx\n").code, 75)


with Tests() as tests:
    setting = Setting(tests)
    options(tests, setting)
    hidden(tests, setting)
    git(tests, setting)
    mutt(tests, setting)
    mailx(tests, setting)
    post_office(tests, setting)
    git(tests, setting)
    mutt(tests, setting)
    mailx(tests, setting)
    post_office_away(tests, setting)
