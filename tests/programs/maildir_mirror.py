"""maildir_mirror PROGRAMS: a mailbox as a Maildir, read by mail programs, with flags both ways."""

from harness import Tests, run
from maildir_readers import (COUNT, by_mblaze, by_mutt, by_notmuch, file_of, fill, flags_in_box,
                             set_file_flags)


def mirror(t, box, place):
    done = run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror", box,
               place)
    t.equal("the mirror is updated", (done.code, done.err), (0, ""))
    return dict(zip(done.out.split()[::2], map(int, done.out.split()[1::2])))


def changes(written=0, removed=0, out=0, into=0):
    return {"written": written, "removed": removed, "flags-out": out, "flags-in": into}


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


def into_a_mailbox(t, box):
    before = sorted(box.rglob("*"))
    done = run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror", box,
               f"{box}/.")
    t.equal("a mailbox into itself", done.code, 64)
    t.contains("a mailbox into itself: why", done.err, "[transfer-out]")
    t.equal("nothing was written into it", sorted(box.rglob("*")), before)


with Tests() as tests:
    fill(tests.work / "source")
    BOX, PLACE = tests.work / "box", tests.work / "mirror"
    run(tests.program("ima-translate"), "--from", "maildir", "--to", "mailbox",
        tests.work / "source", BOX)
    into_a_mailbox(tests, BOX)
    both_ways(tests, BOX, PLACE)
    by_notmuch(tests, PLACE)
    mirror(tests, BOX, PLACE)
    by_mblaze(tests, PLACE)
    by_mutt(tests, PLACE, "mutt", 7)
    tests.equal("what mutt flagged is flagged in the mailbox", mirror(tests, BOX, PLACE)["flags-in"] > 0,
                True)
    tests.contains("and stays so", flags_in_box(tests, BOX)["Grüße 7"], "F")
