"""translation PROGRAMS: single mails, whole folders, signatures that still verify, hostile mail."""

import fcntl
import hashlib
import mailbox
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

from harness import Tests, openssl, run, run_on_terminal

MAIL = """From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>
To: Us: b@b.example, c@c.example;
Subject: Letter {0}
Date: Mon, 23 Nov 2026 09:30:{0:02} +0100
Message-ID: <{0}@a.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe
From here on
>From there
--b
Content-Type: image/png; name="x.png"
Content-Disposition: attachment; filename="x.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--b--
"""


def translate(t, source, target, *places, stdin=b""):
    return run(t.program("ima-translate"), "--from", source, "--to", target, *places, stdin=stdin)


def raw(t, source, target, octets):
    """The octets that ima-translate makes of octets."""
    done = subprocess.run([t.program("ima-translate"), "--from", source, "--to", target],
                          input=octets, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    t.equal(f"{source} to {target}", done.returncode, 0)
    return done.stdout


def head(message):
    return message.partition(b"\n\n")[0].decode().splitlines()


def single_mails(t):
    message = raw(t, "eml", "ima", MAIL.format(1).encode())
    lines = head(message)
    t.true("the author's name is read", "from: Jürgen <j@a.example>" in lines, lines)
    t.true("the group is kept", "mime-field: To: Us: b@b.example, c@c.example;" in lines, lines)
    t.true("the text is UTF-8", "Grüße\nFrom here on".encode() in message, message)
    mail = raw(t, "ima", "eml", message)
    t.contains("the mail has the group", mail.decode(), "\nTo: Us: b@b.example, c@c.example;\n")
    t.equal("translated again it is the same", raw(t, "eml", "ima", mail), message)
    done = translate(t, "ima", "eml", stdin=b"no message\n")
    t.equal("what is no message is refused", done.code, 65)
    t.contains("by its rule", done.err, "[truncated]")
    t.equal("a file that is not there", translate(t, "eml", "ima", t.work / "none").code, 66)
    t.equal("an unknown format", translate(t, "eml", "pst").code, 64)
    t.equal("nobody to send to", translate(t, "ima", "eml", "--send", "").code, 64)
    done = translate(t, "eml", "ima", stdin=b"Subject: caf\xe9\n\n\xff\n")
    t.contains("what cannot be said is reported", done.err, "[charset]")
    t.contains("and kept", done.out, "name=header.eml")


def signatures(t):
    """What openssl signs verifies after mail, message, mail."""
    key, pem = t.work / "s.key", t.work / "s.pem"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes",
            "-days", "2", "-subj", "/CN=signer", "-addext", "extendedKeyUsage=emailProtection",
            "-keyout", key, "-out", pem)
    text = t.work / "text"
    text.write_bytes(b"Content-Type: text/plain\n\nI owe you.  \n\n-- \nme\n")
    signed = openssl("smime", "-sign", "-in", text, "-signer", pem, "-inkey", key, "-from",
                     "a@a.example", "-to", "b@b.example", "-subject", "signed").out.encode()
    opaque = openssl("smime", "-sign", "-nodetach", "-in", text, "-signer", pem, "-inkey", key,
                     "-subject", "opaque").out.encode()
    sealed = openssl("smime", "-encrypt", "-aes128", "-in", text, "-subject", "sealed", pem)
    for name, mail in (("signed", signed), ("signed, with CRLF", signed.replace(b"\n", b"\r\n")),
                       ("opaque", opaque)):
        message = raw(t, "eml", "ima", mail)
        back = t.work / "back.eml"
        back.write_bytes(raw(t, "ima", "eml", message))
        done = run("openssl", "smime", "-verify", "-in", back, "-CAfile", pem, "-purpose", "any")
        t.equal(f"{name}: verifies after the round trip", done.code, 0)
        t.contains(f"{name}: the text is the same", done.out.replace("\r", ""), "I owe you.  \n")
    t.contains("a reader sees the signed text", raw(t, "eml", "ima", signed).decode(errors="replace"),
               "I owe you.")
    back = t.work / "back.eml"
    back.write_bytes(raw(t, "ima", "eml", raw(t, "eml", "ima", sealed.out.encode())))
    done = run("openssl", "smime", "-decrypt", "-in", back, "-recip", pem, "-inkey", key)
    t.contains("what was encrypted can be decrypted", done.out, "I owe you.")


def pgp(t):
    """What gpg signs by PGP/MIME (RFC 3156) verifies after mail, message, mail."""
    with tempfile.TemporaryDirectory(prefix="gpg") as home:  # a short path, as sockets have
        def gpg(*words, stdin=b""):
            return run("gpg", "--homedir", home, "--batch", "--no-tty", *words, stdin=stdin)

        made = gpg("--passphrase", "", "--quick-generate-key", "a@a.example", "ed25519")
        t.true("gpg makes a key", made.code == 0, made.err)
        inner = b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe.  \r\n-- \r\nme\r\n"
        signature = gpg("--armor", "--detach-sign", stdin=inner).out.encode()
        mail = (b'From: a@a.example\nContent-Type: multipart/signed; micalg=pgp-sha512;\n'
                b' protocol="application/pgp-signature"; boundary=b\n\n--b\n' +
                inner.replace(b"\r", b"") + b"\n--b\nContent-Type: application/pgp-signature\n\n" +
                signature + b"\n--b--\n")
        for name, one in (("LF", mail), ("CRLF", mail.replace(b"\n", b"\r\n"))):
            message = raw(t, "eml", "ima", one)
            t.true(f"PGP/MIME, {name}: a reader sees the text", "Grüße.  \n".encode() in message, message)
            back = raw(t, "ima", "eml", message).replace(b"\r\n", b"\n")
            signed, detached = back.split(b"\n--b\n")[1:3]
            (t.work / "signed").write_bytes(signed.replace(b"\n", b"\r\n"))
            (t.work / "signature").write_bytes(detached.partition(b"\n\n")[2].partition(b"\n--b--")[0])
            done = gpg("--verify", t.work / "signature", t.work / "signed")
            t.equal(f"PGP/MIME, {name}: it verifies after the round trip", done.code, 0)
        (t.work / "signed").write_bytes(inner + b"more")
        t.true("what was changed does not", gpg("--verify", t.work / "signature",
                                                t.work / "signed").code != 0)
        run("gpgconf", "--homedir", home, "--kill", "all")


def old_mboxes(t):
    """What other programs write into an mbox."""
    head = "From a@a.example Mon Jan  1 10:00:00 2024\nFrom: a@a.example\nSubject: {}\n"
    two = head.format(2) + "\ntwo\n"
    forged = "From x\n\nFrom: boss@a.example\n\n>From y\n"
    counted = head.format(1) + f"Content-Length: {len(forged)}\n\n"
    wrong = counted.replace(str(len(forged)), "20")
    for name, text, count, part in (
            ("without a last line end", head.format(1) + "\none\n\n" + two[:-1], 2, "\none\n"),
            ("with blank lines first", "\n\r\n" + two, 1, "\ntwo\n"),
            ("with lines that no blank one precedes", head.format(1) + "\na\nFrom b\n", 1,
             "\na\nFrom b\n"),
            ("with CRLF", (head.format(1) + "\n>From a\n\n" + two).replace("\n", "\r\n"), 2,
             "\nFrom a\n"),
            ("mboxcl2", counted + forged + "\n" + two, 2, "\n" + forged),
            ("mboxcl2 without separators", counted + forged + two, 2, "\n" + forged),
            ("mboxcl2 with a last message", two + "\n" + counted + forged, 2, "\n" + forged),
            ("a length that is wrong", wrong + "x\n>From y\n\n" + two, 2, "\nx\nFrom y\n"),
            ("a length beyond the end", wrong.replace("20", "9" * 19) + "x\n\n" + two, 2, "\nx\n")):
        file, box = t.work / "old.mbox", t.work / name.replace(" ", "-")
        file.write_bytes(text.encode())
        done = translate(t, "mbox", "mailbox", file, box)
        t.contains(f"mbox {name}", done.err, f"{count} translated, 0 there already, 0 failed")
        found = [p.read_bytes().decode() for p in box.rglob("*.ima")]
        t.true(f"mbox {name}: whole", any(one.endswith(part) for one in found), found)


def unquoted_mboxes(t):
    """Text that looks like a separator stays text, and separators without dates are some."""
    dated = "From a@a.example Mon Jan  1 10:00:00 2024\n"
    mail = "From: a@a.example\nSubject: {}\n\n{}\n\n"
    text = "line\n\nFrom there we went on\nmore\n\nFrom\tnowhere"
    for name, file, count, remarks in (
            ("with text", dated + mail.format(1, text) + dated + mail.format(2, "two"), 2, 1),
            ("of Thunderbird", dated + mail.format(1, text) + "From \r\n" + mail.format(2, "two"), 2, 1),
            ("of uucp", dated + mail.format(1, text) + "From a!b Tue Jan 2 9:00 2024 remote from c\n" +
             mail.format(2, "two"), 2, 1),
            ("without dates", "From a\n" + mail.format(1, "x") + "From b\n" + mail.format(2, "y"), 2, 0)):
        place, box = t.work / "unquoted.mbox", t.work / f"unquoted {name}"
        place.write_bytes(file.encode())
        done = translate(t, "mbox", "mailbox", place, box)
        t.equal(f"an mbox {name}", done.code, 0)
        t.contains(f"an mbox {name}: each message", done.err, f"{count} translated, 0 there already, 0 failed\n")
        t.equal(f"an mbox {name}: remarks", done.err.count("'From there we went on' has no date and is text"
                                                          " [from-line]"), remarks)
        found = [p.read_bytes().decode() for p in box.rglob("*.ima")]
        t.true(f"an mbox {name}: the text is whole",
               not remarks or any(one.endswith("\n" + text + "\n") for one in found), found)
    place.write_bytes((dated + "From: a@a.example\n\nx\n" + dated + "From: b@b.example\n\ny\n").encode())
    done = translate(t, "mbox", "mailbox", place, t.work / "no blank line")
    t.contains("a line that no blank one precedes is text, and said", done.err,
               f"'{dated.strip()}' follows no blank line and is text [from-line]")


def mboxes_in_use(t):
    """What Thunderbird and c-client write into an mbox about its messages."""
    head = "From - Mon Jan  1 10:00:00 2024\n"
    status = head + "X-Account-Key: a\nX-Mozilla-Status: {}\nX-Mozilla-Status2: 00000000\n"
    mail = "From: a@a.example\nSubject: {}\n{}\nx\n\n"
    file, box, back = t.work / "bird.mbox", t.work / "bird", t.work / "bird-back.mbox"
    internal = (head + "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
                "X-IMAP: 1 3\nStatus: RO\n\ninternal\n\n")
    file.write_text(internal + status.format("0000") + mail.format("new", "") +
                    status.format("0001") + mail.format("read", "") +
                    status.format("0009") + mail.format("deleted", "") +
                    status.format("1006") + mail.format("much", "") +
                    head + mail.format("forged", "X-Mozilla-Status: 0009\n"))
    done = translate(t, "mbox", "mailbox", file, box)
    t.equal("an mbox of Thunderbird", done.code, 0)
    t.contains("what was deleted is counted", done.err, "4 translated, 0 there already, 0 failed, 2 left out\n")
    t.equal("and said", done.err.count(" [left-out]\n"), 2)
    translate(t, "mailbox", "mbox", box, back)
    t.equal("its flags", {m["subject"]: m.get_flags() for m in mailbox.mbox(back)},
            {"new": "", "read": "RO", "much": "AF", "forged": ""})
    t.true("its fields are its own", b"Mozilla" not in back.read_bytes(), back.read_bytes())
    (t.work / "deletes.eml").write_text("X-Mozilla-Status: 0009\nFrom: a@a.example\nSubject: mail\n\nx\n")
    translate(t, "eml", "mailbox", t.work / "deletes.eml", box)
    back.unlink()
    translate(t, "mailbox", "mbox", box, back)
    done = translate(t, "mbox", "mailbox", back, box)
    t.contains("a mail that says so deletes nothing", done.err, "0 translated, 5 there already, 0 failed\n")


def places(t):
    """What is read is never what is written, and what never ends is refused."""
    place = t.work / "same"
    mailbox.Maildir(place, create=True).add(MAIL.format(1).encode())
    box = t.work / "same-box"
    translate(t, "maildir", "mailbox", place, box)
    for name, where in (("maildir", place), ("mailbox", box)):
        done = translate(t, name, name, where, f"{where}/.")
        t.equal(f"a {name} into itself", done.code, 64)
        t.contains(f"a {name} into itself: why", done.err, "[transfer-out]")
    t.equal("nothing was written", len(list((place / "new").iterdir())), 1)


def own_fields(t):
    """What programs write into an mbox as they use it makes no other message, and misleads nobody."""
    mail = "From a@a.example Mon Jan  1 10:00:00 2024\nFrom: a@a.example\nSubject: {}\n{}\nx\n\n"
    file, box, back = t.work / "used.mbox", t.work / "used", t.work / "used-back.mbox"
    file.write_text(mail.format(1, ""))
    translate(t, "mbox", "mailbox", file, box)
    file.write_text(mail.format(1, "Status: RO\n \nX-Status: F\nContent-Length: 2\nLines: 1\n") +
                    mail.format(2, "STATUS: RO\nx-status: AF\n"))
    done = translate(t, "mbox", "mailbox", file, box)
    t.contains("a message that was read since is there", done.err, "1 translated, 1 there already")
    forged = raw(t, "eml", "ima", b"From: a@a.example\nSubject: 3\nStatus: RO\nLines: 7\n"
                                  b"X-Status: F\nContent-Length: 1\n\nx\n")
    t.true("of a single mail they are kept", b"\nstatus: RO\n" in forged, forged)
    (t.work / "forged.ima").write_bytes(forged)
    translate(t, "ima", "mailbox", t.work / "forged.ima", box)
    translate(t, "mailbox", "mbox", box, back)
    found = {m["subject"]: m for m in mailbox.mbox(back)}
    t.equal("flags", {s: m.get_flags() for s, m in found.items()}, {"1": "", "2": "ROAF", "3": ""})
    t.equal("said once", [len(m.get_all("Status", [])) for m in found.values()], [0, 1, 0])
    done = translate(t, "mbox", "mailbox", back, box)
    t.contains("and back it is the same", done.err, "0 translated, 3 there already, 0 failed")


def problems(t):
    """A message that cannot be translated is reported; all others are there, and nothing half."""
    box = t.work / "damaged"
    place = t.work / "damaged-source"
    source = mailbox.Maildir(place, create=True)
    for number in range(40):
        source.add(MAIL.format(number).encode())
    translate(t, "maildir", "mailbox", place, box)
    headers = sorted(box.rglob("message.ima"))
    headers[0].write_bytes(b"nonsense\n")
    next(headers[1].parent.glob("*.png")).write_bytes(b"")
    next(headers[2].parent.glob("*.png")).write_bytes(b"\x89PNX\r\n\x1a\n")
    for target in ("mbox", "maildir", "mailbox"):
        out = t.work / f"damaged-{target}"
        done = translate(t, "mailbox", target, box, out)
        t.equal(f"to {target}: some failed", done.code, 2)
        t.contains(f"to {target}: counted", done.err, "37 translated, 0 there already, 3 failed")
        for rule in ("[message-damaged]", "[part-digest]"):
            t.contains(f"to {target}: reported", done.err, rule)
        if target == "mbox":
            found = [m["subject"] for m in mailbox.mbox(out)]
        elif target == "maildir":
            found = [m["subject"] for m in mailbox.Maildir(out, create=False)]
            t.equal("no draft is left", list((out / "tmp").iterdir()), [])
        else:
            found = ["Letter"] * len(list(out.rglob("message.ima")))
        t.equal(f"to {target}: the others", sum(s.startswith("Letter") for s in found), 37)
        t.equal(f"to {target}: and nothing else", len(found), 37)

    out = t.work / "out-of-nothing"
    for source, bad in (("eml", t.work / "none"), ("ima", place), ("mbox", __file__)):
        translate(t, source, "mbox", bad, out)
        t.true(f"out of a bad {source} comes no file", not out.exists())
    place = t.work / "names"
    mailbox.Maildir(place, create=True)
    for name in (".Entw&APw-rfe", ".a..b", ".\udcff", ".R&D"):
        mailbox.Maildir(place / name, create=True).add(MAIL.format(name[1:3]).encode("utf-8", "replace"))
    done = translate(t, "maildir", "mailbox", place, t.work / "names-box")
    t.contains("folders that have no name", done.err, "2 translated, 0 there already, 2 failed")
    t.equal("are said", done.err.count("[folder-name]"), 2)
    translate(t, "mailbox", "maildir", t.work / "names-box", t.work / "names-back")
    t.equal("the others are called as Dovecot calls them",
            sorted(p.name for p in (t.work / "names-back").glob(".*")), [".Entw&APw-rfe", ".R&-D"])


def a_full_disk(t):
    """What was reported is there."""
    place, box = t.work / "many", t.work / "tight"
    source = mailbox.Maildir(place, create=True)
    for number in range(40):
        source.add(f"Subject: Letter {number}\n\n{'x' * 100_000}\n".encode())
    box.mkdir()
    mounted = run("mount", "-t", "tmpfs", "-o", "size=3m", "none", box)
    if mounted.code != 0:
        print("nothing can be mounted here: a full disk is left out")
        return
    try:
        done = translate(t, "maildir", "mbox", place, box / "mbox")
        t.equal("a full disk ends an mbox for now", done.code, 75)
        t.equal("and nothing of it is left", list(box.iterdir()), [])
        done = translate(t, "maildir", "mailbox", place, box / "box")
        t.equal("a full disk ends it for now", done.code, 75)
        t.contains("a full disk: why", done.err, "[disk-full]")
        reported = int(re.search(r"(\d+) translated", done.err).group(1))
        held = sum("Letter" in p.read_text() for p in (box / "box").rglob("*.ima"))
        t.true("a full disk: what is reported is there", 0 < reported <= held, (reported, held))
    finally:
        run("umount", box)


def a_bad_block(t):
    """Of a mail that can be read half way, nothing gets into an mbox."""
    place, out = t.work / "bad-block", t.work / "bad-block.mbox"
    strace = ("strace", "-f", "-o", "/dev/null")
    if not shutil.which("strace") or run(*strace, "true").code != 0:
        print("strace may trace nothing here: a bad block is left out")
        return
    (place / "cur").mkdir(parents=True)
    for number in range(3):
        (place / "cur" / f"{number}:2,").write_text(f"Subject: Letter {number}\n\n" + "x\n" * 100_000)
    done = run(*strace, "-P", place / "cur" / "1:2,", "-e", "inject=pread64:error=EIO:when=2",
               t.program("ima-translate"), "--from", "maildir", "--to", "mbox", place, out)
    t.equal("a mail that cannot be read on", done.code, 2)
    t.contains("a mail that cannot be read on: the others", done.err, "2 translated, 0 there already, 1 failed")
    t.equal("are there", sorted(m["subject"] for m in mailbox.mbox(out)), ["Letter 0", "Letter 2"])
    t.equal("and nothing else", out.read_bytes().count(b"x\n"), 200_000)


def no_threads(t):
    """Where no thread is to be had, one message follows the other."""
    place = t.work / "alone"
    source = mailbox.Maildir(place, create=True)
    for number in range(20):
        source.add(MAIL.format(number).encode())
    endless = 1 << 47  # the stack of a thread, which no address space has room for
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    done = subprocess.run(
        [t.program("ima-translate"), "--from", "maildir", "--to", "mailbox", place,
         t.work / "alone-box"], stderr=subprocess.PIPE, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (endless, hard)))
    t.contains("without threads", done.stderr.decode(), "20 translated, 0 there already, 0 failed")


def arrivals(t):
    """When a message arrived is known again after mbox, mailbox, mbox."""
    lines = ["From a@a.example Mon Jan  1 10:00:00 2024", "From - Tue Jan 02 11:00 2024",
             "From a b@b.example Wed Jan  3 12:00:00 +0100 2024", "From "]
    file, box, back = t.work / "times.mbox", t.work / "times", t.work / "times-back.mbox"
    file.write_text("".join(f"{line}\nFrom: a@a.example\nSubject: {n}\n\nx\n\n"
                            for n, line in enumerate(lines)))
    translate(t, "mbox", "mailbox", file, box)
    translate(t, "mailbox", "mbox", box, back)
    found = {m["subject"]: m.get_from().split(maxsplit=1)[1] for m in mailbox.mbox(back)}
    t.equal("an arrival", found["0"], "Mon Jan  1 10:00:00 2024")
    t.equal("an arrival without seconds", found["1"], "Tue Jan  2 11:00:00 2024")
    t.equal("an arrival with a zone", found["2"], "Wed Jan  3 11:00:00 2024")
    t.true("an unknown arrival is now", not found["3"].endswith((" 1970", " 2024")), found)
    by_mtime(t, box)


def by_mtime(t, box):
    """A Maildir's files say by their time when a message arrived, and so there and back."""
    place, again, shown = t.work / "times-maildir", t.work / "times-again", t.work / "times-mirror"
    translate(t, "mailbox", "maildir", box, place)
    translate(t, "maildir", "mailbox", place, again)
    run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror", again, shown)
    for what, where in (("exported", place), ("mirrored", shown)):
        found = {m["subject"]: int(m.get_date()) for m in mailbox.Maildir(where)}
        times = {file.stat().st_mtime for d in ("cur", "new") for file in (where / d).iterdir()}
        t.true(f"an arrival, {what}", {1704103200, 1704193200, 1704279600} < times, times)
        t.equal(f"all are {what}", sorted(found), ["0", "1", "2", "3"])
    eml, file = t.work / "times.eml", t.work / "times-of-eml.mbox"
    eml.write_text("From: a@a.example\n\nx\n")
    translate(t, "eml", "mbox", eml, file)
    t.true("an unknown arrival is now, in an mbox", b" 1970\n" not in file.read_bytes(), file.read_bytes())


def make_maildir(t, count):
    place = t.work / "maildir"
    box = mailbox.Maildir(place, create=True)
    for number in range(count):
        one = mailbox.MaildirMessage(MAIL.format(number).encode())
        one.set_subdir("cur")
        one.set_flags("S" if number % 2 else "FR")
        box.add(one)
    old = box.add_folder("Archive.2020")
    old.add(mailbox.MaildirMessage(MAIL.format(50).encode()))
    return place


def folders(t):
    place = make_maildir(t, 20)
    target = t.work / "box"
    done = translate(t, "maildir", "mailbox", place, target)
    t.equal("a Maildir is imported", done.code, 0)
    t.contains("the last line counts", done.err, "21 translated, 0 there already, 0 failed")
    done = translate(t, "maildir", "mailbox", place, target)
    t.contains("a second import brings nothing", done.err, "0 translated, 21 there already")
    _, drawn = run_on_terminal(t.program("ima-translate"), "--from", "maildir", "--to", "mailbox", place,
                               t.work / "shown")
    counts = b"".join(b"\r%d messages" % n for n in range(1, 22))
    t.true("a terminal is told how far it is", drawn.startswith(counts + b"\r\x1b[K"), drawn)
    t.contains("and then how it went", drawn.decode(), "21 translated, 0 there already, 0 failed")
    (place / "cur" / "broken").symlink_to("nowhere")
    (place / "cur" / "circle").symlink_to("circle")
    (place / ".Circle").symlink_to(".Circle")
    (place / "cur" / ".#mine").symlink_to("me@here")
    os.mkfifo(place / "cur" / "fifo")
    done = translate(t, "maildir", "mailbox", place, target)
    t.equal("what is no file", done.code, 2)
    t.contains("what is no file is reported", done.err, "0 translated, 21 there already, 3 failed")
    for name in ("broken", "circle", "fifo"):
        t.contains(f"{name}: which", done.err, f"/cur/{name}: is no file, and leads to none [no-input]")
        (place / "cur" / name).unlink()

    back = t.work / "back"
    t.equal("and exported", translate(t, "mailbox", "maildir", target, back).code, 0)
    box = mailbox.Maildir(back, create=False)
    t.equal("everything is there", len(box), 20)
    t.equal("folders too", len(box.get_folder("Archive.2020")), 1)
    t.equal("each marked as one", [p.parent.name for p in back.rglob("maildirfolder")], [".Archive.2020"])
    flags = sorted(m.get_flags() for m in box)
    t.equal("with its flags", flags, ["FR"] * 10 + ["S"] * 10)
    t.equal("subjects", sorted(m["subject"] for m in box),
            sorted(f"Letter {n}" for n in range(20)))
    done = translate(t, "mailbox", "maildir", target, back)
    t.contains("a second export writes nothing", done.err, "0 translated, 21 there already")
    some = sorted((back / "cur").iterdir())[0]
    some.unlink()
    done = translate(t, "mailbox", "maildir", target, back)
    t.contains("what an interruption left out is written", done.err, "1 translated, 20 there")

    file = t.work / "all.mbox"
    t.equal("to an mbox", translate(t, "mailbox", "mbox", target, file).code, 0)
    read = mailbox.mbox(file)
    t.equal("mbox: all are there", len(read), 21)
    t.true("mbox: lines are quoted", b"\n>From here on\n" in file.read_bytes())
    t.equal("an mbox is not overwritten", translate(t, "mailbox", "mbox", target, file).code, 64)
    again = t.work / "again"
    done = translate(t, "mbox", "mailbox", file, again)
    t.contains("from an mbox", done.err, "21 translated, 0 there already, 0 failed")
    one = t.work / "one.ima"
    t.equal("many do not fit a file of one", translate(t, "mbox", "ima", file, one).code, 64)
    t.true("and none is left in it", not one.exists())
    t.equal("an mbox that is none", translate(t, "mbox", "mailbox", __file__, again).code, 65)
    (t.work / "empty").mkdir()
    for place, source in (("empty", "maildir"), ("none", "maildir"), ("none", "mailbox"), ("none", "mbox")):
        done = translate(t, source, "mbox", t.work / place, t.work / "of-none")
        t.equal(f"{place} is no {source}", done.code, 66)
        t.contains(f"{place} is no {source}: why", done.err, "[no-input]")


def other_layouts(t):
    """Folders that are directories with their names, and what cannot be looked into."""
    place, target, back = (t.work / f"layout{n}" for n in ("", "-box", "-back"))
    for number, name in enumerate(("INBOX", "Sent", "lists/ima", "Inbox/.old", "Entw&APw-rfe", ".Plus.Plus")):
        box = place / name
        (box / "cur").mkdir(parents=True)
        (box / "new").mkdir()
        (box / "cur" / "1:2,S").write_text(MAIL.format(number), encoding="ascii")
    (place / "lists" / "up").symlink_to(place)
    done = translate(t, "maildir", "mailbox", place, target)
    t.contains("all folders are read", done.err, "6 translated, 0 there already, 0 failed")
    translate(t, "mailbox", "maildir", target, back)
    t.equal("by their names", sorted(p.name for p in back.iterdir()),
            sorted([".Entw&APw-rfe", ".Plus.Plus", ".Sent", ".inbox.old", ".lists.ima", "cur", "new", "tmp"]))
    t.equal("and the inbox is one", len(list((back / "cur").iterdir())), 1)


def wrong_places(t):
    """A place that is none is not made one, nor another's."""
    place, box, shown = t.work / "layout", t.work / "layout-box", t.work / "no-mirror"
    before = sorted(p.name for p in box.iterdir())
    for source, target, words in (("maildir", "maildir", (place, box)), ("maildir", "mailbox", (place,)),
                                  ("mbox", "maildir", ("x", "-")), ("mailbox", "mbox", ("-", "x")),
                                  ("mailbox", "maildir", ("--mirror", box))):
        done = run(t.program("ima-translate"), "--from", source, "--to", target, *words, cwd=t.work)
        t.equal(f"{source} to {target} {words}", done.code, 64)
    t.true("nothing is called -", not (t.work / "-").exists())
    t.equal("the mailbox is nothing else", sorted(p.name for p in box.iterdir()), before)
    done = translate(t, "mailbox", "maildir", "--mirror", t.work / "none", shown)
    t.equal("a mirror of nothing", (done.code, shown.exists()), (66, False))
    done = run(t.program("ima-translate"), "--from", "ima", "--to", "eml", "--send", "")
    t.equal("mail for nobody", (done.code, done.out), (64, ""))


def interruption(t):
    """A kill at any instant loses and doubles nothing."""
    place = t.work / "large"
    box = mailbox.Maildir(place, create=True)
    for number in range(60):
        box.add(MAIL.format(number).encode())
    target = t.work / "killed"
    for delay in (0.02, 0.05, 0.1, 0.2):
        child = subprocess.Popen([t.program("ima-translate"), "--from", "maildir", "--to",
                                  "mailbox", place, target], stderr=subprocess.DEVNULL)
        try:
            child.wait(delay)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    t.equal("the last run ends well", translate(t, "maildir", "mailbox", place, target).code, 0)
    back = t.work / "killed-back"
    translate(t, "mailbox", "maildir", target, back)
    found = sorted(m["subject"] for m in mailbox.Maildir(back, create=False))
    t.equal("each is there once", found, sorted(f"Letter {n}" for n in range(60)))


def half_an_mbox(t):
    """An mbox has its name when it is whole; what an interruption left is no hindrance."""
    box, out, part = t.work / "killed", t.work / "whole.mbox", t.work / "whole.mbox.ima-part"
    words = [t.program("ima-translate"), "--from", "mailbox", "--to", "mbox", box, out]
    child = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    while child.poll() is None and not part.exists():
        pass
    child.kill()
    t.true("killed, it has no name", child.wait() == 0 or not out.exists())
    out.unlink(missing_ok=True)
    part.write_text("half")
    with open(part, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = run(*words)
        t.equal("another one writes it", (done.code, out.exists()), (75, False))
    t.equal("it is written anew", run(*words).code, 0)
    t.equal("and whole", (len(mailbox.mbox(out)), part.exists()), (60, False))


# A small process that starts another and prints its peak memory in KiB: a child begins with the
# memory of its parent, and this script's own is large.
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def memory(t):
    """The most memory that a translation takes, whatever the mail."""
    deep = "From: a@a.example\n" + "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(20_000))
    nested = "From: a@a.example\n" + "Content-Type: message/rfc822\n\n" * 20_000
    wide = "From: a@a.example\nContent-Type: multipart/mixed; boundary=b\n\n" + "--b\n\nx\n" * 99_000
    hostile = {
        "100,000 header fields": "".join(f"X-{n}: {'v' * 90}\n" for n in range(100_000)) + "\nx\n",
        "100,000 fields of one name": "Subject: s\n" * 100_000 + "\nx\n",
        "a field of 30 MB": "Subject: " + "x" * 30_000_000 + "\n\nx\n",
        "a field of 500,000 lines": "To: a@a.example" + ",\n b@b.example" * 500_000 + "\n\nx\n",
        "a body of one line": "From: a@a.example\n\n" + "x" * 30_000_000,
        "20,000 multiparts": deep,
        "20,000 messages": nested,
        "99,000 parts": wide,
        "parameters": "Content-Type: text/plain" + "".join(
            f"; p{n}*0*=utf-8''%41" for n in range(60_000)) + "\n\nx\n",
        "encoded words": "Subject: " + "=?utf-8?q?=41?= " * 60_000 + "\n\nx\n",
        "comments": "From: " + "(" * 500_000 + "\n\nx\n",
        "a large attachment": "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n" +
                              ("QUJD" * 18 + "\n") * 400_000,
    }
    for name, mail in hostile.items():
        place = t.work / "hostile.eml"
        place.write_text(mail)
        for source, target in (("eml", "ima"), ("ima", "eml")):
            out = t.work / f"hostile.{target}"
            out.unlink(missing_ok=True)
            done = run(sys.executable, "-S", "-E", "-c", MEASURE, t.program("ima-translate"),
                       "--from", source, "--to", target, t.work / f"hostile.{source}", out)
            t.equal(f"{name}, {source} to {target}", done.code, 0)
            used = int(done.out)
            t.true(f"{name}, {source} to {target}: memory", used < 64 * 1024, f"{used} KiB")


with Tests() as tests:
    single_mails(tests)
    signatures(tests)
    pgp(tests)
    folders(tests)
    places(tests)
    own_fields(tests)
    problems(tests)
    a_full_disk(tests)
    a_bad_block(tests)
    no_threads(tests)
    arrivals(tests)
    other_layouts(tests)
    wrong_places(tests)
    old_mboxes(tests)
    unquoted_mboxes(tests)
    mboxes_in_use(tests)
    interruption(tests)
    half_an_mbox(tests)
    memory(tests)
