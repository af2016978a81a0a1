"""maildir_mirror PROGRAMS: a mailbox as a Maildir, read by mail programs, with flags both ways."""

import mailbox
import shutil

from harness import Tests, run
from maildir_readers import (COUNT, by_mblaze, by_mutt, by_notmuch, file_of, fill, flags_in_box,
                             mail, set_file_flags)


def mirror(t, box, place):
    done = run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror", box,
               place)
    t.equal("the mirror is updated", (done.code, done.err), (0, ""))
    return dict(zip(done.out.split()[::2], map(int, done.out.split()[1::2])))


def changes(written=0, removed=0, out=0, into=0):
    return {"written": written, "removed": removed, "flags-out": out, "flags-in": into}


def both_ways(t, box, place):
    t.equal("the first update writes all", mirror(t, box, place), changes(written=COUNT + 1))
    t.equal("folders are marked", [p.parent.name for p in place.rglob("maildirfolder")], [".Archive"])
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


def what_cannot_be_shown(t):
    """A damaged message, or a folder with too long a name, keeps nothing else out."""
    box, place = t.work / "damaged", t.work / "damaged-mirror"
    run(t.program("ima-translate"), "--from", "maildir", "--to", "mailbox", t.work / "source", box)
    header = sorted(box.rglob("message.ima"))[0]
    good = header.read_bytes()
    header.write_bytes(b"nonsense\n")
    words = ("--from", "mailbox", "--to", "maildir", "--mirror", box, place)
    for again in (False, True):
        done = run(t.program("ima-translate"), *words)
        t.equal("a damaged message", done.code, 2)
        t.contains("a damaged message is said", done.err, "[message-damaged]")
        t.contains("all others are there", done.out, f"written {0 if again else COUNT} ")
    header.write_bytes(good)
    t.equal("mended, it comes", mirror(t, box, place), changes(written=1))

    file = file_of(place, 4)  # a listing that missed it while its reader renamed it
    (place / "new" / file.name.partition(":")[0]).write_bytes(file.read_bytes())
    t.equal("a file that is there twice", mirror(t, box, place), changes())
    t.true("is there once", file.exists() and not list((place / "new").iterdir()))

    run(t.program("ima-translate"), "--from", "maildir", "--to", "mailbox",
        long_folder(t.work / "long"), box)
    t.equal("names that are too long", mirror(t, box, place), changes(written=3))
    long = [p for p in place.iterdir() if "~" in p.name]
    t.equal("have directories of their own", sorted(len(list((p / "new").iterdir())) for p in long), [1, 1])
    t.true("whose names a file system allows", all(len(p.name.encode()) <= 255 for p in long), long)
    (place / ".ima-mirror").unlink()
    t.equal("and keep them", mirror(t, box, place), changes())


def long_folder(place):
    """A Maildir with three folders, two of which have names that are longer elsewhere."""
    source = mailbox.Maildir(place, create=True)
    source.add_folder("x&" * 120).add(mail(60))
    source.add_folder("x&" * 119 + "x").add(mail(62))
    source.add_folder("Short").add(mail(61))
    return place


def into_a_mailbox(t, box):
    before = sorted(box.rglob("*"))
    done = run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror", box,
               f"{box}/.")
    t.equal("a mailbox into itself", done.code, 64)
    t.contains("a mailbox into itself: why", done.err, "[transfer-out]")
    t.equal("nothing was written into it", sorted(box.rglob("*")), before)


def box_of_three(t):
    source, box = t.work / "three-source", t.work / "three"
    for number in range(3):
        mailbox.Maildir(source, create=True).add(mail(number))
    run(t.program("ima-translate"), "--from", "maildir", "--to", "mailbox", source, box)
    return box


def beside_mbsync(t, box):
    """What mbsync copies elsewhere and renames is the same file still, with flags both ways."""
    if not shutil.which("mbsync"):
        print("mbsync is not installed: left out")
        return
    place, far = t.work / "sync-mirror", t.work / "sync-far"
    far.mkdir()
    settings = t.work / "mbsyncrc"
    settings.write_text(f"MaildirStore near\nInbox {place}\n\nMaildirStore far\nInbox {far}/inbox\n"
                        f"Path {far}/\n\nChannel c\nFar :far:\nNear :near:\nCreate Both\nSyncState *\n")

    def files(where):
        return [p for part in ("cur", "new") for p in (where / part).iterdir()]

    for again in (False, True, True):
        t.equal("beside mbsync: updated", mirror(t, box, place), changes(written=0 if again else 3))
        t.equal("beside mbsync: it runs", run("mbsync", "-c", settings, "c").code, 0)
        t.equal("beside mbsync: each is there once", (len(files(place)), len(files(far / "inbox"))), (3, 3))
    t.true("mbsync has its own names", all(",U=" in p.name for p in files(place)), files(place))
    one = files(far / "inbox")[0]
    one.rename(far / "inbox" / "cur" / (one.name.partition(":")[0] + ":2,F"))
    run("mbsync", "-c", settings, "c")
    t.equal("a flag comes from the other side", mirror(t, box, place), changes(into=1))
    t.equal("and is in the mailbox", sorted(flags_in_box(t, box).values()), ["", "", "F"])


def exported_again(t, box):
    """A second export knows the files of the first, whatever a synchroniser called them."""
    place = t.work / "exported"
    for written in (3, 0):
        done = run(t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", box, place)
        t.contains("exported once", done.err, f"{written} translated, {3 - written} there already")
        for number, file in enumerate((place / "cur").iterdir() if written else ()):
            file.rename(file.with_name(file.name.replace(":2,", f",U={number}:2,")))


with Tests() as tests:
    fill(tests.work / "source")
    BOX, PLACE = tests.work / "box", tests.work / "mirror"
    run(tests.program("ima-translate"), "--from", "maildir", "--to", "mailbox",
        tests.work / "source", BOX)
    into_a_mailbox(tests, BOX)
    both_ways(tests, BOX, PLACE)
    what_cannot_be_shown(tests)
    three = box_of_three(tests)
    beside_mbsync(tests, three)
    exported_again(tests, three)
    by_notmuch(tests, PLACE)
    mirror(tests, BOX, PLACE)
    by_mblaze(tests, PLACE)
    by_mutt(tests, PLACE, "mutt", 7)
    tests.equal("what mutt flagged is flagged in the mailbox", mirror(tests, BOX, PLACE)["flags-in"] > 0,
                True)
    tests.contains("and stays so", flags_in_box(tests, BOX)["Grüße 7"], "F")
