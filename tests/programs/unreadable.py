"""One message that the post office cannot read, or that is damaged there, keeps no other from a copy; it
is named, nothing is deleted for it, and it comes once it is whole again."""

import os
import subprocess
import time

from harness import Domain, Tests, authority, stored
from imrp import Client, Copy, give


def object_of(mailbox, ident):
    """The file or directory of a message."""
    return next((mailbox / "msg" / ident[:2]).glob(f"{ident}*"))


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")
    photo = b.place / "photo.jpg"
    photo.write_bytes(os.urandom(400_000))
    give(t, b, bob, "removed", "flipped", "whole")
    give(t, b, bob, "cut", "other octets", attach=[photo])
    there = Client(t, office.address, ca, "bob")
    names = {there.subject("inbox", i): i for i in there.ids("inbox")}
    there.ask(f"FLAG inbox {names['removed']} +flagged")

    removed = object_of(bob, names["removed"])
    removed.rename(b.place / "removed")
    flipped = object_of(bob, names["flipped"])
    octets = flipped.read_bytes()
    flipped.write_bytes(octets[:-2] + b"!\n")
    attached = [object_of(bob, names[n]) / "2-photo.jpg" for n in ("cut", "other octets")]
    os.truncate(attached[0], 399_999)
    attached[1].write_bytes(os.urandom(400_000))
    bad = sorted(names[n] for n in names if n != "whole")

    def complaints(done, wanted):
        lines = done.err.splitlines()
        t.equal("each is named once", len(lines), len(wanted) + 1)
        for ident in wanted:
            t.contains("by its folder and id", done.err, f"inbox/{ident}")
        t.contains("with its rule", lines[-1], "[incomplete]")

    listed = Copy(t, b, "listed")
    told = listed.fetch("--headers-only", code=2)
    t.equal("the headers of the others are listed", len(told.lines()), 4)
    complaints(told, [names["removed"]])

    copy = Copy(t, b)
    first = copy.fetch("--two-way", code=2)
    t.equal("the others are brought", [line[-6:] for line in first.lines()], [" whole"])
    complaints(first, bad)
    t.equal("and only they", stored(copy.place), [names["whole"]])
    again = copy.fetch("--delete-after", code=2)
    t.equal("the others are not brought again", again.out, "")
    complaints(again, bad)
    t.equal("what is not here is not deleted there", there.ids("inbox"), bad)

    # Watching goes on, also with more folders than can be watched.
    for number in range(70):
        there.ask(f"CREATE-FOLDER folder{number}")
    log = b.place / "watch.txt"
    with open(log, "wb") as out:
        watcher = t.started(subprocess.Popen(
            [str(t.program("fetch-mail")), "--config", str(b.place / "bob.fetch.toml"), "--watch",
             str(b.place / "watched")], stdout=out, stderr=out))
    for wanted in ("[message-unavailable]\n", " pushed\n"):
        for _ in range(400):
            if wanted in log.read_text():
                break
            time.sleep(0.05)
        t.contains("it is said, and the others come", log.read_text(), wanted)
        if wanted.startswith("["):
            time.sleep(0.5)  # for the watch; where it comes later, the message comes with the list
            give(t, b, bob, "pushed")
    watcher.kill()
    watcher.wait()
    pushed = next(line for line in log.read_text().splitlines() if line.endswith(" pushed"))
    there.ask(f"DELETE inbox {pushed.split()[1]}")

    (b.place / "removed").rename(removed)
    flipped.write_bytes(octets)
    for path in attached:
        path.write_bytes(photo.read_bytes())
    t.equal("the one is listed now", [line[-8:] for line in listed.fetch("--headers-only").lines()],
            [" removed"])
    t.equal("all come once they are whole", len(copy.fetch("--two-way").lines()), 4)
    here = copy.office()
    t.equal("with their flags", here.messages("inbox")["removed"], "flagged")
    t.equal("nothing is left to do", copy.fetch().out, "")

    # A file that is gone for good: the operator repairs, and the message is there no more.
    give(t, b, bob, "lost", "later")
    there.ask("STATUS inbox")
    lost = there.named("inbox", "lost")
    object_of(bob, lost).unlink()
    complaints(copy.fetch(code=2), [lost])
    b.admin("mailbox", "repair", bob)
    t.equal("after the repair all is well", copy.fetch().out, "")
    t.equal("and everything here", len(stored(copy.place)), 6)
    for server in (office, copy.server):
        t.equal("an orderly end", server.stop(), 0)
