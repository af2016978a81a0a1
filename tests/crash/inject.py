"""Each kind of system call fails in turn, in a delivery, a taking in and a compaction: a temporary
failure is told as one, and nothing is lost."""

import re

from harness import Tests, run
from injection import PROMISES, failures, family, require_strace, struck, turns, words
from messages import Letter, check_mailbox

EXPLAINED = re.compile(r": .* \[(storage|disk-full|file-\w+|index)\]$", re.M)
FAMILIES = {"open", "newfstat", "pread64", "pwrite64", "write", "fdatasync", "link", "rename", "unlink",
            "mkdir", "getdents64", "flock", "fcntl"}


class Operation:
    """A program that works on the mailbox, and what it is given to do each time."""

    def __init__(self, t, box, name):
        self.t, self.box, self.name = t, box, name
        self.index = t.work / "cache"
        self.kept = set()
        self.log = t.work / "strace.log"
        self.struck = set()

    def prepare(self, what):
        """What is done before; returns the command, and its standard input."""
        raise NotImplementedError

    def run(self, what, strace):
        command, stdin = self.prepare(what)
        self.log.unlink(missing_ok=True)
        return run(*strace, *command, stdin=stdin)

    def fail_each(self):
        for what, strace in (("at first", ()), ("unhindered", words(self.log))):
            self.t.equal(f"{self.name} {what}", self.run(what, strace).code, 0)
        for kind, these in turns(self.log, self.box, self.index).items():
            for turn in these:
                for failure in failures(turn):
                    self.fail(kind, failure, turn)

    def fail(self, kind, failure, turn):
        t, what = self.t, f"{self.name} {kind} {failure} {turn}"
        done = self.run(what, words(self.log, kind, failure, turn))
        calls = struck(self.log)
        t.equal(f"{what}: one call failed", len(calls), 1)
        t.true(f"{what}: done or deferred", done.code in (0, 75), done.code)
        t.equal(f"{what}: what is deferred is explained", bool(EXPLAINED.search(done.err)),
                done.code == 75)
        if family(kind) in PROMISES and any(str(self.box) in call for call in calls):
            t.equal(f"{what}: no promise {calls}", done.code, 75)
        self.struck.add(family(kind))
        t.equal(f"{what}: the next try", self.run(what, ()).code, 0)


class Delivery(Operation):
    def __init__(self, t, box, name, attachment):
        super().__init__(t, box, name)
        self.attachment = attachment

    def prepare(self, what):
        letter = Letter(f"{self.name} {what}", self.attachment)
        self.kept.add(letter.id)
        return [self.t.program("server-give-recipient"), self.box, "-", "bob@b.example"], letter.octets


class TakingIn(Delivery):
    def prepare(self, what):
        command, stdin = super().prepare(what)
        self.t.equal(f"{what}: delivered", run(*command, stdin=stdin).code, 0)
        return [self.t.program("ima-admin"), "mailbox", "repair", self.box], b""


class Compaction(Operation):
    def prepare(self, what):
        return [self.t.program("ima-admin"), "mailbox", "compact", self.box], b""


with Tests() as tests:
    require_strace()
    mailbox = tests.work / "bob"
    tests.equal("made", run(tests.program("ima-admin"), "mailbox", "create", mailbox).code, 0)
    operations = [Delivery(tests, mailbox, "a letter", b""),
                  Delivery(tests, mailbox, "with an attachment", b"JPEG"),
                  TakingIn(tests, mailbox, "taking in", b"JPEG"),
                  Compaction(tests, mailbox, "compaction")]
    for operation in operations:
        operation.fail_each()
    tests.equal("all kinds of calls failed", FAMILIES - set().union(*(o.struck for o in operations)),
                set())
    check_mailbox(tests, "the mailbox", mailbox, set().union(*(o.kept for o in operations)))
