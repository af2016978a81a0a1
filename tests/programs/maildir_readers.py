"""Mail programs that read a Maildir, and what each must find in one that shows a mailbox: how many
messages, their subjects, their flags, the digests of their attachments. A program that is not
installed is left out, with a word about it."""

import email
import email.header
import email.message
import email.policy
import hashlib
import json
import mailbox
import os
import pty
import re
import select
import shutil
import subprocess
import time

from harness import run

COUNT = 9
PICTURE = bytes(range(256)) * 40


def mail(number):
    one = email.message.EmailMessage(policy=email.policy.SMTP.clone(linesep="\n"))
    one["From"] = "Jürgen Ä <j@a.example>"
    one["To"] = "bob@b.example"
    one["Subject"] = f"Grüße {number}"
    one["Date"] = f"Mon, 23 Nov 2026 09:30:{number:02} +0100"
    one["Message-ID"] = f"<{number}@a.example>"
    one.set_content(f"Hällo {number}\n")
    one.add_attachment(PICTURE + bytes([number]), maintype="image", subtype="png",
                       filename=f"picture {number} ü.png")
    return bytes(one)


def wanted_subjects():
    return sorted(f"Grüße {n}" for n in range(COUNT))


def digests(parts):
    return sorted(hashlib.sha256(p).hexdigest() for p in parts)


WANTED = digests(PICTURE + bytes([n]) for n in range(COUNT))


def fill(place):
    """Makes a Maildir with all of the mail, each seen, and one more in a folder."""
    source = mailbox.Maildir(place, create=True)
    for n in range(COUNT):
        m = mailbox.MaildirMessage(mail(n))
        m.set_subdir("cur")
        m.set_flags("S")
        source.add(m)
    source.add_folder("Archive").add(mail(50))


def subject_of(message):
    return str(email.header.make_header(email.header.decode_header(message["subject"])))


def file_of(place, number):
    return next(p for d in ("cur", "new") for p in (place / d).iterdir()
                if f"<{number}@a.example>".encode() in p.read_bytes())


def set_file_flags(place, number, flags):
    file = file_of(place, number)
    file.rename(place / "cur" / (file.name.partition(":")[0] + ":2," + flags))


def flags_in_box(t, box):
    """The flags of each message of the mailbox, by subject, as an export shows them."""
    place = t.work / f"export-{time.monotonic_ns()}"
    run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", box, place)
    export = mailbox.Maildir(place, create=False)
    return {subject_of(m): m.get_flags() for m in export}


def by_notmuch(t, place):
    if not shutil.which("notmuch"):
        print("notmuch is not installed: left out")
        return
    config = t.work / "notmuch-config"
    config.write_text(f"[database]\npath={place}\n[user]\nname=B\nprimary_email=b@b.example\n"
                      "[new]\ntags=new\nignore=.ima-mirror\n[maildir]\nsynchronize_flags=true\n")
    env = {"NOTMUCH_CONFIG": str(config), "LC_ALL": "C.UTF-8"}
    run("notmuch", "new", env=env)
    t.equal("notmuch: count", run("notmuch", "count", "*", env=env).out.strip(), str(COUNT + 1))
    listed = run("notmuch", "search", "--format=text", "Grüße", env=env).out
    t.equal("notmuch: subjects", sorted(set(re.findall(r"Grüße \d", listed))), wanted_subjects())
    t.equal("notmuch: flags", run("notmuch", "count", "tag:flagged", env=env).out.strip(), "1")
    found = []
    for number in range(COUNT):
        found.append(subprocess.run(["notmuch", "show", "--format=raw", "--part=3",
                                     f"id:{number}@a.example"], env={**os.environ, **env},
                                    stdout=subprocess.PIPE, check=False).stdout)
    t.equal("notmuch: attachments", digests(found), WANTED)


def by_mblaze(t, place):
    if not shutil.which("mlist"):
        print("mblaze is not installed: left out")
        return
    listed = run("mlist", place).lines()
    t.equal("mblaze: count", len(listed), COUNT)
    env = {"LC_ALL": "C.UTF-8", "HOME": str(t.work)}
    scanned = run("mscan", "-f", "%s", *listed, env=env).lines()
    t.equal("mblaze: subjects", sorted(s.strip() for s in scanned), wanted_subjects())
    t.equal("mblaze: flags", len(run("mlist", "-F", place).lines()), 1)
    out = t.work / "extracted"
    out.mkdir()
    for file in listed:
        run("mshow", "-x", file, cwd=out, env=env)
    found = [p.read_bytes() for p in out.iterdir() if p.suffix == ".png"]
    t.equal("mblaze: attachments", digests(found), WANTED)


class Terminal:
    """A program that wants a terminal, and somebody who types when it is ready."""

    def __init__(self, words, env):
        self.shown = b""
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.execvpe(words[0], [str(w) for w in words], {**os.environ, **env})

    def wait_until(self, good, seconds=20):
        """Reads what it shows until `good`, or until it ends."""
        end = time.monotonic() + seconds
        while not good() and time.monotonic() < end:
            if select.select([self.terminal], [], [], 0.05)[0]:
                try:
                    self.shown += os.read(self.terminal, 65536)
                except OSError:
                    break

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def close(self):
        self.wait_until(lambda: False, 5)
        os.close(self.terminal)
        os.waitpid(self.child, 0)


def by_mutt(t, place, program, flagged):
    """By mutt or neomutt, which then sets a flag on the message of that number."""
    if not shutil.which(program):
        print(f"{program} is not installed: left out")
        return
    out = t.work / f"{program}-out"
    settings = t.work / f"{program}rc"
    settings.write_text("set pipe_decode=no\nset wait_key=no\nset quit=yes\nset mark_old=no\n"
                        f"set folder={t.work}\n"
                        "set resolve=no\nset sort=mailbox-order\nset move=no\n")
    mutt = Terminal([program, "-n", "-F", settings, "-f", place],
                    {"TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": str(t.work)})
    mutt.wait_until(lambda: b"Msgs:" in mutt.shown)
    for number in range(COUNT + 1):
        piped = t.work / f"{program}-{number}"
        for _ in range(10):  # what is typed while mutt starts is lost, so the first is for that
            if not piped.exists():
                mutt.type(f"{max(number, 1)}\r|cat >{piped}.part; mv {piped}.part {piped}\r")
                mutt.wait_until(piped.exists, 3)
        with open(out, "ab") as all_of_it:
            all_of_it.write(piped.read_bytes() if number > 0 and piped.exists() else b"")
    mutt.type(f"1\r/~i {flagged}@a.example\rF")
    mutt.wait_until(lambda: False, 1)
    mutt.type("q")
    mutt.close()
    text = out.read_bytes() if out.exists() else b""
    starts = [m.start() for m in re.finditer(rb"^From: ", text, re.M)]
    found = [email.message_from_bytes(text[a:b], policy=email.policy.default)
             for a, b in zip(starts, starts[1:] + [len(text)])]
    t.equal(f"{program}: count", len(found), COUNT)
    t.equal(f"{program}: subjects", sorted(str(m["subject"]) for m in found), wanted_subjects())
    t.equal(f"{program}: attachments",
            digests(p.get_content() for m in found for p in m.iter_attachments()), WANTED)
    t.true(f"{program}: sets a flag", "F" in file_of(place, flagged).name.partition(":2,")[2],
           file_of(place, flagged).name)


def by_dovecot(t, place, flagged):
    """By Dovecot, without its servers, which then sets a flag on the message of that number."""
    if not shutil.which("doveadm"):
        print("dovecot is not installed: left out")
        return
    own = t.work / "dovecot"
    own.mkdir()
    user, group = os.getuid(), os.getgid()
    if user == 0:  # Dovecot does not read mail as root
        user = group = 65534
        t.work.chmod(0o711)
        run("chown", "-R", f"{user}:{group}", own, place)
    settings = own / "dovecot.conf"
    settings.write_text(f"mail_location = maildir:{place}:INDEX={own}/index\nbase_dir = {own}/run\n"
                        f"log_path = {own}/dovecot.log\nssl = no\n"
                        f"mail_uid = {user}\nmail_gid = {group}\nfirst_valid_uid = 1\n"
                        "namespace inbox {\n  inbox = yes\n}\n")

    def doveadm(*words):
        done = run("doveadm", "-c", settings, *words, env={"USER": "bob", "HOME": str(own)})
        t.equal(f"dovecot: {words[0]}", (done.code, done.err), (0, ""))
        return done.out

    listed = doveadm("-f", "flow", "fetch", "hdr.message-id flags", "mailbox", "INBOX", "all")
    t.equal("dovecot: count", len(listed.splitlines()), COUNT)
    t.equal("dovecot: flags", listed.count("Flagged"), 1)
    found = []
    for number in range(COUNT):
        text = doveadm("-f", "pager", "fetch", "text", "mailbox", "INBOX", "header", "message-id",
                       f"{number}@a.example")
        found.append(email.message_from_string(text.partition("text:\n")[2],
                                               policy=email.policy.default))
    t.equal("dovecot: subjects", sorted(str(m["subject"]) for m in found), wanted_subjects())
    t.equal("dovecot: attachments",
            digests(p.get_content() for m in found for p in m.iter_attachments()), WANTED)
    doveadm("flags", "add", "\\Flagged", "mailbox", "INBOX", "header", "message-id",
            f"{flagged}@a.example")
    t.true("dovecot: sets a flag", "F" in file_of(place, flagged).name.partition(":2,")[2],
           file_of(place, flagged).name)
