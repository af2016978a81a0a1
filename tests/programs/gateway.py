"""gateway PROGRAMS: a real Postfix on loopback between SMTP and IMA, both ways; failures and loops end
well. Needs Postfix and the rights to start it; without them nothing is tested."""

import email
import mailbox
import os
import pathlib
import shutil
import smtplib
import socket
import sys
import time

from harness import Domain, Tests, authority, run, stored

POSTFIX = shutil.which("postfix", path=os.environ["PATH"] + ":/usr/sbin")


class Postfix:
    """An instance of its own: smtp.example is delivered here, b.example goes to IMA."""

    def __init__(self, t, gateway, transports):
        self.t = t
        self.place = t.work / "postfix"
        self.mail = self.place / "mail"
        for name in ("queue", "data", "mail"):
            (self.place / name).mkdir(parents=True)
        shutil.chown(self.place / "data", "postfix")
        shutil.chown(self.mail, "nobody")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.place / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {self.place}/queue
data_directory = {self.place}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = gate.smtp.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains = b.example loop.example
transport_maps = inline:{{{transports}}}
virtual_mailbox_domains = smtp.example a.example
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = inline:{{{{eve@smtp.example=eve/}}, {{smtp@a.example=owner/}}}}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
hopcount_limit = 12
maillog_file = {self.place}/postfix.log
maillog_file_prefixes = {t.work}
ima_destination_recipient_limit = 1
minimal_backoff_time = 1s
queue_run_delay = 1s
disable_dns_lookups = yes
smtputf8_enable = no
""")
        (self.place / "master.cf").write_text(f"""127.0.0.1:{self.port} inet n - n - - smtpd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
ima unix - n n - 4 pipe
  -o pipe_delivery_status_filter=regexp:{self.place}/ima-faults
  flags=q null_sender= user=nobody argv={gateway} -i -f ${{sender}} -- ${{recipient}}
""")
        (self.place / "ima-faults").write_text(documented("/etc/postfix/ima-faults"))
        done = run(POSTFIX, "-c", self.place, "start", timeout=60)
        if done.code != 0:
            raise RuntimeError(done.err + self.log())
        self.sendmail = t.work / "to-smtp"
        self.sendmail.write_text(f'#!/bin/sh\nexec /usr/sbin/sendmail -C {self.place} "$@"\n')
        self.sendmail.chmod(0o755)

    def stop(self):
        run(POSTFIX, "-c", self.place, "stop", timeout=60)

    def send(self, sender, recipients, text):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as smtp:
            smtp.sendmail(sender, recipients, text.encode())

    def log(self):
        return (self.place / "postfix.log").read_text()

    def wait_for(self, good, seconds=40):
        """What `good` gives, once it gives something."""
        for _ in range(seconds * 10):
            found = good()
            if found:
                return found
            time.sleep(0.1)
        return None

    def news(self, who="eve"):
        """Somebody's mail, which is taken away."""
        place = self.mail / who
        if not (place / "new").is_dir():
            return []
        box = mailbox.Maildir(place, create=False)
        found = [email.message_from_bytes(bytes(m)) for m in box]
        box.clear()
        return found


def documented(file):
    """A file as docs/gateways.md has it."""
    page = (pathlib.Path(__file__).parents[2] / "docs/gateways.md").read_text()
    return page.split(f"In `{file}`:\n\n```\n")[1].split("```")[0]


def message_in(box, subject):
    """The text of the one message with this subject, or None."""
    found = [next(p for p in box.rglob(f"{one}*")).read_text() for one in stored(box)]
    return next((text for text in found if f"\nsubject: {subject}\n" in text), None)


def text_of(message):
    return "\n".join(p.get_payload() for p in message.walk() if p.get_content_maintype() == "text")


def make_readable(place):
    """For the user that Postfix runs the gateway as."""
    for path in [place, *place.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def open_way(directory):
    """Whether everybody may go into the directory."""
    return all(p.stat().st_mode & 0o001 for p in [directory, *directory.parents])


def smtp_to_ima(t, postfix, box):
    postfix.send("eve@smtp.example", "bob@b.example",
                 "From: =?utf-8?q?Eve_=C3=84?= <eve@smtp.example>\nTo: bob@b.example\n"
                 "Subject: across\nDate: Mon, 23 Nov 2026 09:30:00 +0100\n"
                 "Message-ID: <1@smtp.example>\n\nfrom SMTP\n")
    found = postfix.wait_for(lambda: stored(box))
    t.equal("mail from SMTP is in the mailbox", len(found or []), 1)
    text = next(p for p in box.rglob(f"{found[0]}*")).read_text()
    t.contains("its author is the author", text, "\nfrom: Eve Ä <eve@smtp.example>\n")
    t.contains("the gateway sends for him", text, "\nmailer: smtp@a.example\n")
    t.contains("the way is kept", text, " by gate.smtp.example (Postfix) with ESMTP id ")
    t.contains("the text", text, "\nfrom SMTP\n")


def failures(t, postfix, box):
    mail = "From: eve@smtp.example\nTo: x\nSubject: lost\n\nx\n"
    for recipient, reason in (("nobody@b.example", "NORECIPIENT"),
                              ('"a b"@b.example', "recipient-address"),
                              ('"eve@smtp.example,bob"@b.example', "recipient-address"),
                              ('"bob (x)"@b.example', "recipient-address"),
                              ('"root,bob"@b.example', "NORECIPIENT")):
        postfix.send("eve@smtp.example", recipient, mail)
        bounce = postfix.wait_for(postfix.news)
        t.equal(f"{recipient}: one bounce", len(bounce or []), 1)
        if bounce:
            t.equal(f"{recipient}: a bounce", bounce[0].get_content_type(), "multipart/report")
            t.contains(f"{recipient}: says why", text_of(bounce[0]), reason)
    t.equal("nobody else has it", message_in(box, "lost"), None)


def to_several(t, postfix, box):
    """What becomes of one recipient is no other's business."""
    mail = "From: eve@smtp.example\nTo: x\nSubject: several\n\nx\n"
    postfix.send("eve@smtp.example", ["bob@b.example", "nobody@b.example", "later@b.example"], mail)
    t.true("one of several has it", postfix.wait_for(lambda: message_in(box, "several")))
    bounce = postfix.wait_for(postfix.news)
    t.equal("one of several: one bounce", len(bounce or []), 1)
    if bounce:
        text = text_of(bounce[0])
        t.equal("one of several: for the unknown one", [who for who in ("bob", "nobody", "later")
                                                        if f"<{who}@b.example>:" in text], ["nobody"])
    t.true("one of several: nobody waits for another", "in-progress)" not in postfix.log() and
           "in-progress )" not in postfix.log())
    t.true("one of several: the third waits",
           postfix.wait_for(lambda: "to=<later@b.example>" in postfix.log()))
    t.true("one of several: and is tried again", postfix.wait_for(
        lambda: postfix.log().count("to=<later@b.example>") > 1))
    t.true("one of several: never returned", "status=bounced" not in "".join(
        line for line in postfix.log().splitlines() if "to=<later@b.example>" in line))


def without_sender(t, postfix, box):
    """A bounce that does not say that it is one."""
    postfix.send("", "bob@b.example", "From: postmaster@smtp.example\nSubject: a report\n\nfailed\n")
    text = postfix.wait_for(lambda: message_in(box, "a report"))
    t.contains("mail without a sender is automatic", text or "", "\nauto: report\n")


def own_faults(t, postfix, box, config):
    """What is wrong with the gateway itself can be mended, and nobody hears of it."""
    good = config.read_text()
    config.write_text(good + "oops = 1\n")
    postfix.send("eve@smtp.example", "bob@b.example",
                 "From: eve@smtp.example\nSubject: waited\n\nx\n")
    t.true("with wrong settings mail waits", postfix.wait_for(
        lambda: "status=deferred (local configuration error" in postfix.log()))
    config.write_text(good)
    t.true("and comes when they are mended",
           postfix.wait_for(lambda: message_in(box, "waited")))
    t.equal("nobody heard of it", postfix.news(), [])


def ima_to_smtp(t, b):
    done = b.send(b.message("--to", "eve@smtp.example", "--subject", "Grüße", sender="bob@b.example",
                            text="from IMA\n"))
    t.equal("a message for SMTP is delivered", (done.code, done.out), (0, "OK eve@smtp.example\n"))
    return done


def smtp_has(t, postfix):
    found = postfix.wait_for(postfix.news)
    t.equal("eve has it as mail", len(found or []), 1)
    mail = found[0]
    t.equal("from its author", mail["from"], "bob@b.example")
    t.equal("the envelope names him", mail["return-path"], "<bob@b.example>")
    t.equal("the subject", str(email.header.make_header(email.header.decode_header(mail["subject"]))),
            "Grüße")
    t.equal("the text", mail.get_payload(), "from IMA\n")


def refusals(t, b):
    done = b.send(b.message("--to", "jürgen@smtp.example", sender="bob@b.example"))
    t.equal("an address that SMTP cannot say is refused", done.code, 1)
    t.contains("with the reason", done.out, "smtp-address")
    shows = t.work / "show-arguments"
    shows.write_text("#!/bin/sh\ncat > /dev/null\nprintf '%s\\n' \"$@\"\n")
    shows.chmod(0o755)
    for recipient, code, shown in (
            ("root,eve@smtp.example", 0, '"root,eve"@smtp.example'),
            ("(eve)root@smtp.example", 0, '"(eve)root"@smtp.example'),
            ("eve@smtp.example,root@other.example", 1, "smtp-address")):
        done = run(t.program("ima-translate"), "--from", "ima", "--to", "eml", "--sendmail", shows,
                   "--send", recipient, stdin=b.message("--to", "x@smtp.example"))
        t.equal(f"{recipient} is sent as one address or not at all", done.code, code)
        t.contains(f"{recipient} is quoted", done.out, shown)


def report(t, b, postfix):
    """An automatic message has no sender in SMTP, so nothing answers it."""
    b.send(b.message("--to", "eve@smtp.example", "--header", "auto: report", sender="bob@b.example"))
    found = postfix.wait_for(postfix.news)
    t.equal("an automatic message has no sender", found and found[0]["return-path"], "<>")


def loop(t, postfix):
    """loop.example is an SMTP domain to IMA, and an IMA domain to Postfix."""
    postfix.send("eve@smtp.example", "x@loop.example",
                 "From: eve@smtp.example\nTo: x@loop.example\nSubject: round\n\nx\n")
    bounce = postfix.wait_for(lambda: postfix.news("owner"))  # as the gateway sent it on
    t.equal("a loop ends with a bounce", bounce and bounce[0].get_content_type(), "multipart/report")
    if bounce:
        t.contains("that says so", text_of(bounce[0]), "too many hops")


def main(t):
    t.work.chmod(0o755)
    ca = authority(t.work)
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    smtp, ring = Domain(t, ca, "smtp.example", hosts), Domain(t, ca, "loop.example", hosts)
    box = b.add_user("bob")
    deferring = t.work / "deferring"
    deferring.write_text("#!/bin/sh\ncat > /dev/null\nexit 75\n")
    deferring.chmod(0o755)
    b.routes.append(f'"later@b.example" = {{ command = ["{deferring}"] }}')
    b.start("server-receive")
    to_smtp = t.work / "to-smtp"
    for domain, users in ((smtp, ("eve", "jürgen")), (ring, ("x",))):
        domain.routes += [f'"{u}@{domain.name}" = {{ command = ["{t.program("ima-translate")}", '
                          f'"--from", "ima", "--to", "eml", "--sendmail", "{to_smtp}", "--send", '
                          f'"{{address}}"] }}' for u in users]
        domain.start("server-receive")
    send = a.write("send.toml", a.send_settings())
    config = a.write("gateway.toml", f'command = ["{t.program("server-send-mail")}", "--config", '
                                     f'"{send}"]\ndomain = "a.example"\n'
                                     'mailer = "smtp@a.example"\n')
    gateway = t.work / "gateway"
    gateway.write_text(f'#!/bin/sh\nexec {t.program("ima-sendmail")} -C {config} "$@"\n')
    gateway.chmod(0o755)
    make_readable(a.place)
    make_readable(t.work / "ca")
    postfix = Postfix(t, gateway, "{b.example=ima:}, {loop.example=ima:}")
    try:
        smtp_to_ima(t, postfix, box)
        failures(t, postfix, box)
        to_several(t, postfix, box)
        without_sender(t, postfix, box)
        own_faults(t, postfix, box, config)
        ima_to_smtp(t, b)
        smtp_has(t, postfix)
        refusals(t, b)
        report(t, b, postfix)
        loop(t, postfix)
    finally:
        postfix.stop()


if POSTFIX is None or os.getuid() != 0 or not open_way(pathlib.Path(sys.argv[1]).resolve()):
    print("Postfix is not installed, or may not be started here: no gateway to test")
    sys.exit(77)
with Tests() as tests:
    main(tests)
