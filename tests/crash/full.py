"""A file system that is full, and one that turns read-only: told as temporary, nothing lost."""

import contextlib
import os

from harness import Tests, run
from messages import Letter, check_mailbox, deliver, skip


@contextlib.contextmanager
def small_disk(place):
    place.mkdir()
    if os.geteuid() != 0:
        skip("only root may mount a small file system")
    if run("mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", place).code != 0:
        skip("no file system can be mounted here")
    try:
        yield place
    finally:
        run("umount", "-l", place)


def fill(t, box):
    """Delivers until nothing fits any more; returns the ids of what was acknowledged."""
    there = set()
    for i in range(1000):
        letter = Letter(f"fill {i}", os.urandom(100_000) if i % 3 else b"")
        code = deliver(t, box, letter)
        if code != 0:
            t.equal("a full disk is temporary", code, 75)
            return there
        there.add(letter.id)
    t.true("the disk is full at last", False)
    return there


with Tests() as tests:
    with small_disk(tests.work / "disk") as disk:
        admin = tests.program("ima-admin")
        mailbox, ballast = disk / "bob", disk / "ballast"
        tests.equal("a mailbox is made", run(admin, "mailbox", "create", mailbox).code, 0)
        ballast.write_bytes(bytes(1_000_000))
        kept = fill(tests, mailbox)
        tests.true("taking in on a full disk is done or temporary",
                   run(admin, "mailbox", "repair", mailbox).code in (0, 75))
        ballast.unlink()
        check_mailbox(tests, "with room again", mailbox, kept)
        late = Letter("late")
        tests.equal("and mail comes again", deliver(tests, mailbox, late), 0)
        kept.add(late.id)

        if run("mount", "-o", "remount,ro", disk).code != 0:
            skip("the file system cannot be made read-only")
        tests.equal("a delivery to a read-only disk", deliver(tests, mailbox, Letter("never")), 75)
        tests.equal("a repair of it", run(admin, "mailbox", "repair", mailbox).code, 75)
        run("mount", "-o", "remount,rw", disk)
        check_mailbox(tests, "writable again", mailbox, kept)
