"""Messages to deliver, and what became of them in a mailbox."""

import hashlib
import signal
import subprocess
import sys
import time

from harness import run, stored


class Letter:
    """A message as octets, with the id that a mailbox gives it."""

    def __init__(self, name, attachment=b""):
        part = b"text of " + name.encode() + b"\n"
        lines = [b"ima: 1", b"from: alice@a.example", b"to: bob@b.example",
                 b"subject: " + name.encode(), _line(part, b"text/plain", b"")]
        body = part
        if attachment:
            lines.append(_line(attachment, b"image/jpeg", b" name=a.jpg"))
            body += attachment
        header = b"\n".join(lines) + b"\n\n"
        self.octets = header + body
        self.id = hashlib.sha256(header).hexdigest()


def _line(part, kind, name):
    digest = hashlib.sha256(part).hexdigest().encode()
    return b"part: %d %s sha256=%s%s" % (len(part), kind, digest, name)


def deliver(t, box, letter, wrapper=(), kill_after=None):
    """Runs server-give-recipient; its exit code, or -9 where it was killed after so many seconds."""
    process = subprocess.Popen(
        [*wrapper, str(t.program("server-give-recipient")), str(box), "-", "bob@b.example"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if kill_after is not None:
        # The message is small enough for the pipe, so that this waits for nobody.
        process.stdin.write(letter.octets)
        process.stdin.close()
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
        return process.wait(60)
    process.communicate(letter.octets, timeout=60)
    return process.returncode


def check_mailbox(t, what, box, there, perhaps=()):
    """After a repair everything in `there` is stored once and whole, what may be is whole, and there
    is nothing else."""
    admin = t.program("ima-admin")
    t.equal(f"{what}: repair", run(admin, "mailbox", "repair", box).code, 0)
    found = run(admin, "mailbox", "check", "--contents", box)
    t.equal(f"{what}: check after repair: {found.out}", found.code, 0)
    ids = stored(box)
    t.equal(f"{what}: nothing twice", len(ids), len(set(ids)))
    t.equal(f"{what}: nothing acknowledged is lost", sorted(set(there) - set(ids)), [])
    t.equal(f"{what}: nothing unknown", sorted(set(ids) - set(there) - set(perhaps)), [])
    t.equal(f"{what}: all is taken in", stored(box, where=("new",)), [])


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)
