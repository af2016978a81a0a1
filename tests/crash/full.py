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


def listed(t, box):
    done = run(t.program("ima-read"), box, "inbox")
    t.equal(f"a mailbox is read: {done.err}", done.code, 0)
    return done.out


with Tests() as tests:
    with small_disk(tests.work / "disk") as disk:
        admin = tests.program("ima-admin")
        mailbox, ballast = disk / "bob", disk / "ballast"
        tests.equal("a mailbox is made", run(admin, "mailbox", "create", mailbox).code, 0)
        ballast.write_bytes(bytes(1_000_000))
        early = Letter("early")
        tests.equal("a message comes in time", deliver(tests, mailbox, early), 0)
        tests.contains("and is taken in", listed(tests, mailbox), "early")
        kept = fill(tests, mailbox) | {early.id}
        with open(mailbox / "journal", "ab") as journal:
            journal.write(b"torn")
        (disk / "rest").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize))
        tests.contains("a full disk keeps nobody from reading", listed(tests, mailbox), "early")
        (disk / "rest").unlink()
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
        tests.contains("what was there is read", listed(tests, mailbox), "early")
        checked = run(admin, "mailbox", "check", mailbox, "--contents")
        tests.equal(f"and checked: {checked.out}{checked.err}", checked.code, 0)
        run("mount", "-o", "remount,rw", disk)
        check_mailbox(tests, "writable again", mailbox, kept)
