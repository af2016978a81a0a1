"""Each kind of system call fails in turn: a temporary failure is told, and nothing is lost."""

import os
import shutil

from harness import FULL, Tests, run
from messages import Letter, check_mailbox, deliver, skip

CALLS = ("openat", "write", "fdatasync", "link", "rename", "mkdir", "unlink")
FAILURES = ("EIO", "ENOSPC")
LOADER = 127  # the program did not start at all
TURNS = range(1, 30) if FULL else (1, 2, 3)


def strace(call, failure, turn):
    return ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}", "-e",
            f"inject={call}:error={failure}:when={turn}")


def try_delivery(t, box, what, wrapper):
    letter = Letter(what, b"JPEG" if len(what) % 2 else b"")
    code = deliver(t, box, letter, wrapper)
    if code == LOADER:
        return None
    t.true(f"{what}: delivered or deferred", code in (0, 75), code)
    t.equal(f"{what}: the next try", deliver(t, box, letter), 0)
    return letter.id


def try_taking_in(t, box, what, wrapper):
    code = run(*wrapper, t.program("ima-admin"), "mailbox", "repair", box).code
    t.true(f"{what}: repaired or deferred", code in (0, 75, LOADER), code)


with Tests() as tests:
    if shutil.which("strace") is None:
        skip("there is no strace")
    if run("strace", "-qq", "-o", os.devnull, "true").code != 0:
        skip("strace may trace nothing here")
    mailbox = tests.work / "bob"
    run(tests.program("ima-admin"), "mailbox", "create", mailbox)
    there = set()
    for call in CALLS:
        for failure in FAILURES:
            for turn in TURNS:
                name = f"{call} {failure} {turn}"
                there.add(try_delivery(tests, mailbox, name, strace(call, failure, turn)))
                try_taking_in(tests, mailbox, name, strace(call, failure, turn))
    there.discard(None)
    check_mailbox(tests, "the mailbox", mailbox, there)
