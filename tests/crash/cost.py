"""What a request or a delivery costs in calls to the file system, and a server in memory, with a folder of
a thousand messages and with one of twenty thousand: the same."""

import hashlib
import zlib

from harness import Domain, Tests, authority, peak_memory
from imrp import Client
from injection import calls, joined, require_strace, words
from messages import Letter, deliver

SIZES = (1_000, 20_000)
SPARE = 16  # a tree of the index is a level deeper, a page of it is elsewhere
SPARE_MEMORY = 8 << 20
BATCH = 512


def ident(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def journal(messages):
    """A journal by docs/mailbox.md section 5 with so many messages, whose files nobody asks for."""
    lines, seq = ["ima-journal 1 1795512600\n"], 0

    def append(bodies, held):
        nonlocal seq
        for body in (*bodies, f"c {len(bodies)} {held} {held * 1000}"):
            seq += 1
            text = f"{seq} {body}"
            lines.append(f"{zlib.crc32(text.encode()):08x} {text}\n")

    append(["f 1 inbox inbox", "f 2 - kept"], 0)
    for first in range(0, messages, BATCH):
        some = range(first, min(first + BATCH, messages))
        append([f"m {ident(n)} 1 1000 1795512602 -" for n in some], some.stop)
    return "".join(lines)


class Mailbox:
    def __init__(self, t, ca, size):
        self.t, self.size = t, size
        self.log = t.work / "strace.log"
        self.domain = Domain(t, ca, f"b{size}.example")
        self.box = self.domain.add_user("bob")
        (self.box / "journal").write_text(journal(size))
        self.server = self.domain.start("server-post-office")
        self.client = Client(t, self.server.address, ca, "bob", host=self.domain.name)

    def count(self, strace_it):
        """Calls that have to do with the mailbox or its index."""
        self.log.unlink(missing_ok=True)
        strace_it(words(self.log))
        places = (str(self.box), str(self.t.work / "cache"))
        return sum(any(place in rest for place in places) for _, _, rest in calls(self.log))

    def ask(self, request, before=None):
        """After another, so that all is open."""
        self.client.ask(before or request)

        def traced(strace):
            with joined(self.server.process.pid, strace):
                self.client.ask(request)
        return self.count(traced)

    def synchronise(self):
        """Ten changes, behind a token."""
        self.client.ask("STATUS inbox")
        token = self.client.end.partition("token=")[2].split(" ")[0]
        ten = " ".join(ident(n) for n in range(self.size // 2, self.size // 2 + 10))
        self.client.ask(f"FLAG inbox {ten} +own")
        return self.ask(f"CHANGES inbox {token} 100")

    def give(self, name):
        return self.count(lambda strace: self.t.equal(
            "delivered", deliver(self.t, self.box, Letter(name), strace), 0))

    def take_in(self):
        self.give("one more")
        return self.ask("STATUS inbox", before="QUOTA")

    def change(self, command, end=""):
        one, other = (ident(self.size // n) for n in (3, 4))
        return self.ask(f"{command} {one}{end}", before=f"{command} {other}{end}")

    def costs(self):
        return {
            "a delivery": self.give("letter"),
            "taking in": self.take_in(),
            "a status": self.ask("STATUS inbox"),
            "a page": self.ask("CHANGES inbox 0 50"),
            "a synchronisation of ten changes": self.synchronise(),
            "a flag": self.change("FLAG inbox", " +seen"),
            "a move": self.change("MOVE inbox kept"),
            "a deletion": self.change("DELETE kept"),
            "the folders": self.ask("FOLDERS"),
            "the quota": self.ask("QUOTA"),
        }


with Tests() as tests:
    require_strace()
    certificates = authority(tests.work)
    small, large = (Mailbox(tests, certificates, size) for size in SIZES)
    few, many = small.costs(), large.costs()
    for what, cost in few.items():
        tests.true(f"{what} does something", cost > 0)
        tests.true(f"{what} does not know the size of the folder", many[what] <= cost + SPARE,
                   (cost, many[what]))
    memory = [peak_memory(box.server.process.pid) for box in (small, large)]
    tests.true("nor does the server's memory", 0 < memory[1] <= memory[0] + SPARE_MEMORY, memory)
