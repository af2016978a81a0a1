"""Each kind of system call fails in turn in a post office that serves a client: the client is told that
it failed for now, or it was done and lasts; the next try does it, and nothing is lost."""

import fcntl
import time

from harness import Domain, Tests, authority, stored
from imrp import Client
from injection import PROMISES, failures, family, joined, require_strace, struck, turns, words
from messages import Letter, check_mailbox, deliver

FAMILIES = {"open", "newfstat", "pread64", "pwrite64", "write", "fdatasync", "link", "rename", "unlink",
            "mkdir", "rmdir", "getdents64", "ftruncate", "flock"}
FOLDERS = ("inbox", "kept")


class Prober(Client):
    """Takes whatever answer comes, and what stands before it."""

    def say(self, request):
        """The last line of the answer, empty where the connection ended; the lines before, and octets."""
        self.lines.write(request.encode())
        self.lines.flush()
        reply = []
        while True:
            line = self.lines.readline().decode().rstrip("\n")
            word, *rest = line.split(" ")
            if word in ("OK", "FAIL", "DEFER", ""):
                return line, reply
            reply.append(line)
            if word == "HEADER":
                reply.append(self.lines.read(int(rest[1]) + int(rest[2])).decode())
            if word == "PART":
                reply.append(self.lines.read(int(rest[3])).decode())


class Office:
    """A post office, a client of it, and what must be in the mailbox by what was answered."""

    def __init__(self, t, domain, box, ca):
        self.t, self.domain, self.box, self.ca = t, domain, box, ca
        self.there = {}  # id -> folder, flags
        self.lost = set()  # digests of which a copy may be there that was not acknowledged
        self.ever_lost = set()
        self.server = domain.start("server-post-office")
        self.log = t.work / "strace.log"
        self.number = 0
        self.connect()
        self.client.ask("CREATE-FOLDER kept")

    def connect(self):
        self.client = Prober(self.t, self.server.address, self.ca, "bob")

    def deliver(self):
        """A message that waits to be taken in."""
        self.number += 1
        letter = Letter(f"word{self.number}", b"JPEG")
        self.t.equal("delivered", deliver(self.t, self.box, letter), 0)
        self.there[letter.id] = ("inbox", "-")
        return letter

    def take_in(self):
        letter = self.deliver()
        self.client.ask("CHANGES inbox 0 1000")
        return letter

    def may_lose(self, letter):
        """A copy of it may be made that nobody is told of."""
        self.lost = {letter.id}
        self.ever_lost.add(letter.id)

    def strays(self):
        """Copies that were not acknowledged, and are given back."""
        return [i for i in stored(self.box) if i not in self.there and i[:64] in self.ever_lost]

    def compare(self, what):
        """What the client sees is what was acknowledged; a copy that was not may be there, too."""
        found = {}
        for folder in FOLDERS:
            for line in self.client.ask(f"CHANGES {folder} 0 10000"):
                sign, ident, *rest = line.split(" ")
                if sign == "+":
                    self.t.true(f"{what}: in one folder", ident not in found, ident)
                    found[ident] = (folder, rest[2])
        for ident in set(found) - set(self.there):
            if ident[:64] in self.lost:
                self.there[ident] = found[ident]
                self.lost.remove(ident[:64])
        self.t.equal(what, found, self.there)

    def is_unlocked(self):
        """No lock stays behind where it could not be given back."""
        with open(self.box / "lock", "rb") as lock:
            for _ in range(100):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return True
                except BlockingIOError:
                    time.sleep(0.05)
        return False


class Request:
    """What a client asks: made anew each time, as the one before has changed the mailbox."""

    repeatable = True
    answers = ("OK",)  # of a second try
    needs_room = True

    def __init__(self, office):
        self.office = office

    def prepare(self):
        """What is done before; returns the request."""
        raise NotImplementedError

    def done(self, answer, reply):
        """It was answered OK: what must be there now, and what the answer must say."""


class TakeIn(Request):
    needs_room = False  # what was taken in before is shown

    def prepare(self):
        self.office.deliver()
        return "CHANGES inbox 0 10000\n"


class Flag(Request):
    def prepare(self):
        self.letter = self.office.take_in()
        return f"FLAG inbox {self.letter.id} +seen\n"

    def done(self, answer, reply):
        self.office.there[self.letter.id] = ("inbox", "seen")


class Move(Request):
    def prepare(self):
        self.letter = self.office.take_in()
        return f"MOVE inbox kept {self.letter.id}\n"

    def done(self, answer, reply):
        self.office.there[self.letter.id] = ("kept", "-")


class Delete(Request):
    def prepare(self):
        self.letter = self.office.take_in()
        return f"DELETE inbox {self.letter.id}\n"

    def done(self, answer, reply):
        del self.office.there[self.letter.id]


class Copy(Request):
    repeatable = False

    def prepare(self):
        self.letter = self.office.take_in()
        self.office.may_lose(self.letter)
        return f"COPY inbox kept {self.letter.id}\n"

    def done(self, answer, reply):
        self.office.there[reply[0].split(" ")[2]] = ("kept", "-")
        self.office.lost.clear()


class Append(Request):
    repeatable = False

    def prepare(self):
        self.office.number += 1
        letter = Letter(f"own {self.office.number}", b"JPEG")
        self.office.may_lose(letter)
        header, _, body = letter.octets.decode().partition("\n\n")
        return f"APPEND kept seen - {len(header) + 2}\n{header}\n\nDATA {len(body)}\n{body}"

    def done(self, answer, reply):
        self.office.there[answer.removeprefix("OK ")] = ("kept", "seen")
        self.office.lost.clear()


class Headers(Request):
    def prepare(self):
        self.letter = self.office.take_in()
        return f"HEADERS inbox {self.letter.id}\n"

    def done(self, answer, reply):
        self.office.t.contains("the header", reply[1], f"subject: word{self.office.number}\n")


class Fetch(Request):
    def prepare(self):
        self.letter = self.office.take_in()
        return f"FETCH inbox {self.letter.id} 2\n"

    def done(self, answer, reply):
        self.office.t.equal("the part", reply[1], "JPEG")


class Search(Request):
    def prepare(self):
        self.letter = self.office.take_in()
        return f"SEARCH inbox - 10 text=word{self.office.number}\n"

    def done(self, answer, reply):
        self.office.t.equal("found", reply, [f"FOUND {self.letter.id}"])


class CreateFolder(Request):
    answers = ("OK", "FAIL folder-exists")

    def prepare(self):
        self.office.number += 1
        self.name = f"folder{self.office.number}"
        return f"CREATE-FOLDER {self.name}\n"

    def done(self, answer, reply):
        self.office.t.contains("the folder", self.office.client.ask("FOLDERS"),
                               f"FOLDER - {self.name}")


class TornTail(Request):
    needs_room = False  # where there is none to keep it, it stays

    def prepare(self):
        with open(self.office.box / "journal", "ab") as journal:
            journal.write(b"torn")
        return "STATUS inbox\n"


def ask(office, request, strace):
    """Makes one request while strace looks on, or has a call fail."""
    office.log.unlink(missing_ok=True)
    text = request.prepare()
    with joined(office.server.process.pid, strace):
        return office.client.say(text), text


def fail(office, request, kind, failure, turn):
    t, what = office.t, f"{type(request).__name__} {kind} {failure} {turn}"
    (answer, reply), text = ask(office, request, words(office.log, kind, failure, turn,
                                                       journal_of(office, kind)))
    calls = struck(office.log)
    t.true(f"{what}: done, or failed for now", answer.startswith(("OK", "DEFER storage ")) or
           any(line.startswith("PART") for line in reply), answer)
    may_fail = failure == "ENOSPC" and not request.needs_room
    if family(kind) in PROMISES and not may_fail and any(str(office.box) in call for call in calls):
        t.true(f"{what}: no promise {calls}", not answer.startswith("OK"), answer)
    t.true(f"{what}: the lock is given back", office.is_unlocked())
    if not answer:
        office.connect()
    if not answer.startswith("OK") and request.repeatable:
        answer, reply = office.client.say(text)
        t.true(f"{what}: the next try", answer.startswith(request.answers), answer)
    if answer.startswith(request.answers):
        request.done(answer, reply)
    office.compare(f"{what}: what is there")
    return {family(kind)} if calls else set()


def journal_of(office, kind):
    """A server writes to more than files; what wakes its own threads is none of ours."""
    return office.box / "journal" if kind == "write" else None


def fail_each(office, request):
    hit = set()
    index = office.domain.place / "index"
    for kind in (None, "write"):
        strace = words(office.log, *((kind,) if kind else ()), path=journal_of(office, kind))
        (answer, reply), _ = ask(office, request, strace)
        office.t.true("unhindered", answer.startswith("OK"), answer)
        request.done(answer, reply)
        for each, these in turns(office.log, office.box, office.t.work / "cache", index).items():
            # A lock on its own file that SQLite cannot give back has it wait for itself.
            if (each == "write") == (kind == "write") and each != "fcntl":
                for turn in these:
                    for failure in failures(turn):
                        hit |= fail(office, request, each, failure, turn)
    return hit


with Tests() as tests:
    require_strace()
    authorities = authority(tests.work)
    b = Domain(tests, authorities, "b.example")
    mailbox = b.add_user("bob")
    post_office = Office(tests, b, mailbox, authorities)
    kinds = set()
    for request_kind in (TakeIn, Flag, Move, Delete, Copy, Append, Headers, Fetch, Search, CreateFolder,
                         TornTail):
        kinds |= fail_each(post_office, request_kind(post_office))
    tests.equal("all kinds of calls failed", FAMILIES - kinds, set())
    b.servers["server-post-office"].stop()
    post_office.server = b.start("server-post-office")
    post_office.connect()
    post_office.compare("what another post office finds")
    check_mailbox(tests, "the mailbox", mailbox, post_office.there, post_office.strays())
