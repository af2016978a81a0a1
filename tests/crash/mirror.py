"""A Maildir mirror killed at its calls, one after the other, and beside a reader who renames files: every
update that follows makes the Maildir what the mailbox is, and no flag of anybody's is lost."""

import collections
import re
import signal
import threading

from harness import FULL, Tests, run
from injection import calls, require_strace
from maildir_readers import COUNT, file_of, fill, set_file_flags

MOST = 1000 if FULL else 3  # kills at each kind of call
MANY = 2000 if FULL else 150
KILLED = ("openat", "mkdir", "write", "fdatasync", "rename")


def mirror(t, box, place, wrapper=()):
    return run(*wrapper, t.program("ima-translate"), "--from", "mailbox", "--to", "maildir", "--mirror",
               box, place)


def updated(t, what, box, place):
    done = mirror(t, box, place)
    t.equal(f"{what}: updated", (done.code, done.err), (0, ""))
    return dict(zip(done.out.split()[::2], map(int, done.out.split()[1::2])))


def shown(place):
    """Folder, message and letters of every file."""
    found = []
    for file in place.rglob("*.ima*"):
        if file.parent.name in ("cur", "new"):
            base, _, letters = file.name.partition(":2,")
            found.append((str(file.parent.parent.relative_to(place)), base, letters))
    return sorted(found)


def killed_at(kind, turn):
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={kind}", "-e",
            f"inject={kind}:signal=SIGKILL:when={turn}")


class Mirrors:
    """A mailbox, its Maildir here, and one elsewhere by which the mailbox is changed."""

    def __init__(self, t):
        self.t = t
        self.box, self.here, self.there = (t.work / n for n in ("box", "here", "there"))
        fill(t.work / "source")
        run(t.program("ima-translate"), "--from", "maildir", "--to", "mailbox", t.work / "source",
            self.box)
        for place in (self.here, self.there):
            updated(t, "at first", self.box, place)

    def prepare(self, what):
        for number, flags in ((0, ""), (1, "FS"), (2, "S"), (3, "")):
            set_file_flags(self.there, number, flags)
        updated(self.t, f"{what}: changed", self.box, self.there)

    def change(self, what):
        """Elsewhere 0 is read, 1 no longer marked; here 2 is answered. 3 is new as mail is."""
        for number, flags in ((0, "S"), (1, "S"), (3, "S")):
            set_file_flags(self.there, number, flags)
        updated(self.t, f"{what}: changed elsewhere", self.box, self.there)
        set_file_flags(self.here, 2, "RS")
        file_of(self.here, 4).unlink()

    def check(self, what):
        """What was read elsewhere was meanwhile marked unread there."""
        set_file_flags(self.there, 0, "")
        updated(self.t, f"{what}: changed back", self.box, self.there)
        updated(self.t, what, self.box, self.here)
        updated(self.t, what, self.box, self.there)
        self.t.equal(f"{what}: both are the same", shown(self.here), shown(self.there))
        letters = [file_of(self.here, n).name.partition(":2,")[2] for n in range(5)]
        self.t.equal(f"{what}: all flags are right", letters, ["", "S", "RS", "S", "S"])
        self.t.equal(f"{what}: all is there", len(shown(self.here)), COUNT + 1)
        self.t.equal(f"{what}: nothing is half written", list((self.here / "tmp").iterdir()), [])

    def settle(self, what):
        self.prepare(what)
        updated(self.t, f"{what}: followed", self.box, self.here)
        self.change(what)

    def kill_each(self):
        log = self.t.work / "strace.log"
        self.settle("traced")
        mirror(self.t, self.box, self.here, ("strace", "-f", "-y", "-o", log))
        self.check("traced")
        counts, turns = collections.Counter(), collections.defaultdict(list)
        for _, kind, rest in calls(log):
            counts[kind] += 1
            if str(self.here) in rest:
                turns[kind].append(counts[kind])
        self.t.equal("all kinds of calls", sorted(set(KILLED) - set(turns)), [])
        for kind in KILLED:
            step = max(1, len(turns[kind]) // MOST)
            for turn in turns[kind][::step]:
                what = f"killed at {kind} {turn}"
                self.settle(what)
                done = mirror(self.t, self.box, self.here, killed_at(kind, turn))
                self.t.true(f"{what}: killed", done.code in (-signal.SIGKILL, 137), done.code)
                self.check(what)


def beside_a_reader(t):
    """Here each message gets a mark, elsewhere each is read, all at once."""
    source, box, here, there = (t.work / n for n in ("many.mbox", "many", "many-here", "many-there"))
    source.write_text("".join(f"From a Mon Jan  1 10:00:00 2024\nFrom: a@a.example\nSubject: {n}\n\nx\n\n"
                              for n in range(MANY)))
    run(t.program("ima-translate"), "--from", "mbox", "--to", "mailbox", source, box)
    for place in (here, there):
        updated(t, "many", box, place)
    for file in list((there / "new").iterdir()):
        file.rename(there / "cur" / f"{file.name}:2,S")
    updated(t, "many read", box, there)

    def reader():
        """Marks what is listed, as often as it takes: the mirror renames files, too."""
        while True:
            files = [f for d in ("cur", "new") for f in (here / d).iterdir() if not re.search(":2,.*F", f.name)]
            if not files:
                return
            for file in files:
                base, _, letters = file.name.partition(":2,")
                try:
                    file.rename(here / "cur" / f"{base}:2,F{letters}")
                except FileNotFoundError:
                    pass

    at_work = threading.Thread(target=reader)
    at_work.start()
    while at_work.is_alive():
        updated(t, "beside the reader", box, here)
    at_work.join()
    for place in (here, here, there):
        updated(t, "after the reader", box, place)
    t.equal("all are read and marked", [f[2] for f in shown(here)], ["FS"] * MANY)
    t.equal("everywhere", shown(there), shown(here))
    t.equal("then nothing is left to do", set(updated(t, "at last", box, here).values()), {0})


def two_at_once(t):
    """Two updates of one Maildir wait for each other."""
    box, place = t.work / "many", t.work / "twice"
    threads = [threading.Thread(target=updated, args=(t, "two at once", box, place)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    t.equal("all is there once", shown(place), shown(t.work / "many-here"))


with Tests() as tests:
    require_strace()
    beside_a_reader(tests)
    two_at_once(tests)
    Mirrors(tests).kill_each()
