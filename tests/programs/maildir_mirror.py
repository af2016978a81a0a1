"""maildir_mirror PROGRAMS: a mailbox as a Maildir, read by mutt, notmuch and mblaze, with flags both
ways. A program that is not installed is left out, with a word about it."""

import hashlib
import mailbox
import os
import pathlib
import pty
import re
import select
import shutil
import time

from harness import Tests, run

COUNT = 9
PICTURE = bytes(range(256)) * 40


def mail(number):
    import email.message
    import email.policy
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


def mirror(t, box, place):
    done = run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror", box,
               place)
    t.equal("the mirror is updated", (done.code, done.err), (0, ""))
    return dict(zip(done.out.split()[::2], map(int, done.out.split()[1::2])))


def changes(written=0, removed=0, out=0, into=0):
    return {"written": written, "removed": removed, "flags-out": out, "flags-in": into}


def flags_in_box(t, box):
    """The flags of each message of the mailbox, by subject, as an export shows them."""
    place = t.work / f"export-{time.monotonic_ns()}"
    run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", box, place)
    export = mailbox.Maildir(place, create=False)
    return {subject_of(m): m.get_flags() for m in export}


def subject_of(message):
    import email.header
    return str(email.header.make_header(email.header.decode_header(message["subject"])))


def file_of(place, number):
    return next(p for d in ("cur", "new") for p in (place / d).iterdir()
                if f"<{number}@a.example>".encode() in p.read_bytes())


def set_file_flags(place, number, flags):
    file = file_of(place, number)
    file.rename(place / "cur" / (file.name.partition(":")[0] + ":2," + flags))


def both_ways(t, box, place):
    t.equal("the first update writes all", mirror(t, box, place), changes(written=COUNT + 1))
    t.equal("the second nothing", mirror(t, box, place), changes())
    set_file_flags(place, 0, "FS")
    set_file_flags(place, 1, "")
    t.equal("flags go into the mailbox", mirror(t, box, place), changes(into=2))
    found = flags_in_box(t, box)
    t.equal("flags: added", found["Grüße 0"], "FS")
    t.equal("flags: removed", found["Grüße 1"], "")
    file_of(place, 2).unlink()
    (place / "cur" / "draft-of-mine:2,D").write_text("Subject: mine\n\nx\n")
    t.equal("a file that went comes back", mirror(t, box, place), changes(written=1))
    t.true("files of others stay", (place / "cur" / "draft-of-mine:2,D").exists())
    (place / "cur" / "draft-of-mine:2,D").unlink()
    (place / ".ima-mirror").write_text("nonsense\n")
    done = run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror", box,
               place)
    t.equal("a damaged state is said", done.code, 75)
    (place / ".ima-mirror").unlink()
    t.equal("without it all is compared afresh", mirror(t, box, place), changes())


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
        import subprocess
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


def by_mutt(t, place):
    if not shutil.which("mutt"):
        print("mutt is not installed: left out")
        return
    out = t.work / "mutt-out"
    settings = t.work / "muttrc"
    settings.write_text("set pipe_decode=no\nset wait_key=no\nset quit=yes\nset mark_old=no\n"
                        "set resolve=no\nset sort=mailbox-order\nset move=no\n")
    mutt = Terminal(["mutt", "-n", "-F", settings, "-f", place],
                    {"TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": str(t.work)})
    mutt.wait_until(lambda: b"Msgs:" in mutt.shown)
    for number in range(COUNT + 1):
        piped = t.work / f"mutt-{number}"
        for _ in range(10):  # what is typed while mutt starts is lost, so the first is for that
            if not piped.exists():
                mutt.type(f"{max(number, 1)}\r|cat >{piped}.part; mv {piped}.part {piped}\r")
                mutt.wait_until(piped.exists, 3)
        with open(out, "ab") as all_of_it:
            all_of_it.write(piped.read_bytes() if number > 0 and piped.exists() else b"")
    mutt.type("1\r/~i 7@a.example\rF")
    mutt.wait_until(lambda: False, 1)
    mutt.type("q")
    mutt.close()
    import email
    import email.policy
    text = out.read_bytes() if out.exists() else b""
    starts = [m.start() for m in re.finditer(rb"^From: ", text, re.M)]
    found = [email.message_from_bytes(text[a:b], policy=email.policy.default)
             for a, b in zip(starts, starts[1:] + [len(text)])]
    t.equal("mutt: count", len(found), COUNT)
    t.equal("mutt: subjects", sorted(str(m["subject"]) for m in found), wanted_subjects())
    t.equal("mutt: attachments",
            digests(next(m.iter_attachments()).get_content() for m in found), WANTED)
    t.true("mutt: sets a flag", "F" in file_of(place, 7).name.partition(":2,")[2],
           file_of(place, 7).name)


with Tests() as tests:
    source = mailbox.Maildir(tests.work / "source", create=True)
    for n in range(COUNT):
        m = mailbox.MaildirMessage(mail(n))
        m.set_subdir("cur")
        m.set_flags("S")
        source.add(m)
    source.add_folder("Archive").add(mail(50))
    BOX, PLACE = tests.work / "box", tests.work / "mirror"
    run(tests.program("ima-translate"), "--from", "maildir", "--to", "mailbox",
        tests.work / "source", BOX)
    both_ways(tests, BOX, PLACE)
    by_notmuch(tests, PLACE)
    mirror(tests, BOX, PLACE)
    by_mblaze(tests, PLACE)
    by_mutt(tests, PLACE)
    tests.equal("what mutt flagged is flagged in the mailbox", mirror(tests, BOX, PLACE)["flags-in"] > 0,
                True)
    tests.contains("and stays so", flags_in_box(tests, BOX)["Grüße 7"], "F")
