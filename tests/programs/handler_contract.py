"""handler_contract.py PROGRAMS: the transcripts of delivery, played to server-receive over TLS.

Each is played three ways: to the built-in handler, to the shipped programs as handler and check
command, and to commands that say word for word what the transcript has its program say. The first two
must answer in the same octets. States that a transcript needs are made: a full mailbox, a store that
fails, a message in hand, a policy that objects, a server that stops.

What may differ from a transcript is this alone:
- the text behind a reason, an address or NOTE, where the transcript's program chose it;
- a result for a recipient to whom the transcript gives none, and which says what the verdict says
  about him anyway.
"""

import contextlib
import os
import pathlib
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from harness import Domain, Server, Tests, authority
from imdp import EndingPeer

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "peer"))
from transcripts import DIRECTORY, read, sent  # noqa: E402

BODY = b"hello, bob\n"  # of each transcript whose recipients have the message already
LINE_TIME = 4  # seconds; an offer that waits for half of it is answered `busy`
LAPSE_SOON = 'accept-time = "3s"\n'
AT_ONCE = 12  # receivers
GIVES_UP, PUTS_OFF = (f'command = ["/bin/sh", "-c", "exit {code}"]' for code in (1, 75))
VERDICTS = {"OK": 0, "FAIL": 1, "PARTIAL": 2, "DEFER": 75}

# Why neither the built-in handler nor the shipped commands can be brought to say it.
UNPLAYABLE = {
    "abandoned": "a mailbox that fails is its recipient's result; for both to fail the disk would have"
                 " to be full after four octets",
    "defer-quota": "a mailbox that is full refuses for good",
    "defer-shutdown": "who stops closes, and takes no second offer",
    "foreign-result": "it speaks of nobody but the recipients",
    "late-no-recipient": "it knows at the header stage who exists",
    "notes": "its remarks are those of a recipient's command, and begin with his address",
    "reject-identity": "a certificate proves the domain of both messages or of neither",
    "reject-loop": "the same block is a loop or is none",
    "reject-recipients": "it names those who do not exist first, as no-recipient has it",
    "reject-size": "the same block is too large or is not",
    "reject-syntax": "the same block is well-formed or is not",
    "shutdown-offer": "an offer in hand is answered as if nothing were the matter",
    "verdict-defer": "it calls a mixture PARTIAL",
    "verdict-fail": "it calls a mixture PARTIAL",
}
# Why a command cannot say it.
UNSPEAKABLE = {
    "abandoned": "its exit code is the verdict, and it is asked for once the body is there",
}

TELL = """#!/bin/sh
exec <"$0.told"
read -r code
cat
exit "$code"
"""
HANDLE = f"""#!{sys.executable} -SE
import sys
head, _, body = sys.stdin.buffer.read().partition(b"\\n\\n")
parts = [line for line in head.split(b"\\n") if line.startswith(b"part: ")]
if len(body) < sum(int(line.split(b" ")[1]) for line in parts):
    sys.exit(1)  # it came short: the last octet is kept from us
with open(sys.argv[0] + ".told") as told:
    code, _, lines = told.read().partition("\\n")
print(lines, end="")
sys.exit(int(code))
"""


class Receiver:
    """b.example's server with a handler of one of three kinds, and what its commands are told."""

    def __init__(self, t, a, b, kind, name, top="", limits="", **routes):
        self.t, self.a, self.b, self.kind = t, a, b, kind
        self.lapses, self.asking = 0, {}
        self.place = t.work / f"{kind}-{name}"
        self.place.mkdir()
        self.check, self.handle = self.script("check", TELL), self.script("handle", HANDLE)
        self.boxes = [self.place / user for user in ("bob", "erin")]
        for box in self.boxes:
            b.admin("mailbox", "create", box)
        tables = self.tables({**{box.name: f'mailbox = "{box}"' for box in self.boxes},
                              "dan": GIVES_UP, "fay": PUTS_OFF, **routes})
        config = self.place / "server-receive.toml"
        config.write_text(f'listen = ["127.0.0.1:0"]\nmax-size = 1000\n{top}{tables}'
                          f"[limits]\n{limits}{b.tls()}")
        self.server = Server(t, "server-receive", config)

    def script(self, name, text):
        path = self.place / name
        path.write_text(text)
        path.chmod(0o755)
        os.mkfifo(f"{path}.told")
        return path

    def tables(self, routes):
        """The settings of the handler; how the shipped commands get theirs."""
        routes = 'hostparts = ["b.example"]\n[routes]\n' + "".join(
            f'"{user}@b.example" = {{ {where} }}\n' for user, where in routes.items())
        policy = f'policy-command = ["{self.check}"]\n'
        if self.kind == "builtin":
            return policy + routes
        if self.kind == "scripted":
            return f'handler = ["{self.handle}"]\ncheck-command = ["{self.check}"]\n'
        config = self.place / "handle.toml"
        config.write_text(routes)
        shipped = f'"{self.t.program("server-handle-incoming-mail")}", "--config", "{config}"'
        return f"{policy}handler = [{shipped}]\ncheck-command = [{shipped}, \"--check\"]\n"

    def peer(self):
        return EndingPeer(self.server.address, "b.example", self.a.chain, self.a.key,
                          self.a.ca.pem)

    def wait_until_asked(self, script):
        """A command is asked something; it waits for what it is told."""
        for _ in range(3000):
            with contextlib.suppress(OSError):  # nobody has opened the other end
                self.asking[script] = os.open(f"{script}.told", os.O_WRONLY | os.O_NONBLOCK)
                return
            time.sleep(0.01)
        raise RuntimeError(f"nobody asks {script}")

    def tell(self, script, code, *lines):
        """What a command is to say, and how it is to end."""
        if script not in self.asking:
            self.wait_until_asked(script)
        with open(self.asking.pop(script), "w", encoding="utf-8") as told:
            told.write("\n".join([str(code), *lines, ""]))

    def wait_for_lapse(self):
        self.lapses += 1
        self.t.true("it lapses", self.server.wait_for("(?s)(accept-lapsed.*){%d}" % self.lapses))

    def empty(self):
        for box in self.boxes:
            for file in (box / "new").iterdir():
                file.unlink()

    def deliver_before(self, block, whom):
        """The same message, for him alone: his copy is there when all of them are offered it."""
        alone = block.replace(b"subject: ", b"for: %s\nsubject: " % whom.encode())
        with contextlib.closing(self.peer()) as peer:
            peer.say(b"MAIL %d\n" % len(alone) + alone)
            self.tell(self.check, 0)
            peer.say(b"DATA %d\n" % len(BODY) + BODY)
            heard = [peer.line() for _ in range(3)]
        self.t.equal(f"a copy beforehand ({self.kind})", heard, ["ACCEPT", f"OK {whom}", "OK"])

    # States for one offer.

    @contextlib.contextmanager
    def full(self, block):
        self.b.admin("mailbox", "quota", self.boxes[0], "--octets", 1)
        yield
        (self.boxes[0] / "quota").unlink()

    @contextlib.contextmanager
    def failing(self, block):
        (self.boxes[0] / "quota").write_text("nonsense\n")
        yield
        (self.boxes[0] / "quota").unlink()

    @contextlib.contextmanager
    def in_hand(self, block):
        with contextlib.closing(self.peer()) as other:
            other.say(b"MAIL %d\n" % len(block) + block)
            self.tell(self.check, 0)
            self.t.equal("another has it in hand", other.line(), "ACCEPT")
            yield
            other.say(b"CANCEL\nDONE\n")
            self.t.equal("and gives it up", other.line(), None)

    @contextlib.contextmanager
    def busy(self, block):
        """The only command that may run is asked about another message, for longer than half of
        line-time."""
        other = block.replace(b"subject: ", b"subject: x")
        with contextlib.closing(self.peer()) as peer:
            peer.say(b"MAIL %d\n" % len(other) + other)
            yield
            time.sleep(LINE_TIME / 2 + 1)
            self.tell(self.check, 0)
            self.t.equal("then it is done", peer.line(), "ACCEPT")


class Play:
    """One transcript, played to a receiver in the client's role; `heard` is all that it answered."""

    STATES = {"reject quota": Receiver.full, "defer storage": Receiver.failing,
              "defer in-progress": Receiver.in_hand, "defer busy": Receiver.busy}

    def __init__(self, receiver, name, lines):
        self.receiver, self.what, self.lines = receiver, f"{name} ({receiver.kind})", lines
        self.real = receiver.kind != "scripted"
        self.words = [" ".join(d.split(" ")[:2]) for d in decisions(lines)]
        self.heard, self.chosen, self.known, self.results = [], set(), [], []
        self.offered = False  # and not answered yet
        self.implied = None  # the pattern of results that the verdict implies
        self.state = contextlib.ExitStack()

    def run(self):
        self.receiver.empty()
        block = first_block(self.lines)
        if self.real:
            for who in (w.split(" ")[1] for w in self.words if w.startswith("already ")):
                self.receiver.deliver_before(block, who)
        with contextlib.closing(self.receiver.peer()) as self.peer, self.state:
            if self.real and self.words and self.words[0] in self.STATES:
                self.state.enter_context(self.STATES[self.words[0]](self.receiver, block))
            for line in self.lines:
                self.play(line)
            self.receiver.t.equal(f"{self.what}: the connection ends", self.peer.line(), None)
        return self.heard

    def play(self, line):
        if line.side == "S" and line.kind == "?":
            self.offered = line.argument == "offered"
        elif line.side == "S" and line.kind == "!":
            self.decide(*line.argument.split(" ", 1))
        elif line.side == "S" and line.kind in ":>":
            self.expect(sent(line).decode().rstrip("\n"))
        elif line.side == "C" and line.kind in ":>*":
            self.peer.say(sent(line))
        elif line.side == "C" and line.kind == ".":
            self.peer.end()

    def expect(self, wanted):
        found = self.peer.line() if self.heard else self.peer.greeting
        self.heard.append(found)
        while self.real and self.implied and re.match(self.implied, found or ""):
            found = self.peer.line()
            self.heard.append(found)
        same = without_text if self.real and wanted in self.chosen else str
        self.receiver.t.equal(f"{self.what}: said", same(found), same(wanted))
        if wanted in VERDICTS:
            self.implied = None
        elif wanted.startswith(("REJECT", "DEFER")):
            self.state.close()

    def decide(self, word, rest=""):
        """Has it said, where it needs somebody to say it; what is so chosen, its text may differ."""
        if word in ("already", "unknown"):
            self.known.append({"already": "OK", "unknown": "NORECIPIENT"}[word] + " " + rest)
        elif word in ("accept", "reject", "defer", "verdict"):
            self.chosen.add(f"{word.upper()} {rest}")
            self.offered = False
            (self.judge_really if self.real else self.judge)(word, rest)
        elif word in ("result", "note"):
            said = rest if word == "result" else f"NOTE {rest}"
            self.chosen.add(said)
            self.results.append(said)
        elif word == "conclude":
            if not self.real:
                self.receiver.tell(self.receiver.handle, VERDICTS[rest], *self.results)
            named = "".join(f"(?!{re.escape(r.split(' ')[1])})" for r in self.results)
            self.implied = f"{'DEFER' if rest == 'PARTIAL' else rest} {named}[^ ]+@"
            self.results = []
        elif word == "lapse":
            self.receiver.wait_for_lapse()
        elif word == "stop":
            if self.offered and not self.real:
                self.receiver.wait_until_asked(self.receiver.check)
            self.receiver.server.signal(signal.SIGTERM)

    def judge(self, word, rest):
        """The check command says it."""
        lines, self.known = self.known, []
        if word in ("reject", "defer"):
            lines.append(f"{word.upper()} {rest}")
        code = {"accept": 0, "verdict": 0, "reject": 1, "defer": 75}[word]
        self.receiver.tell(self.receiver.check, code, *lines)

    def judge_really(self, word, rest):
        """The policy says it where the handler has nothing against the message; a state that was
        made for the offer does otherwise."""
        reason, _, text = rest.partition(" ")
        if word == "accept":
            self.receiver.tell(self.receiver.check, 0)
        elif reason == "policy":
            self.receiver.tell(self.receiver.check, 1 if word == "reject" else 75, text)
        elif reason == "internal":
            self.receiver.tell(self.receiver.check, 99)
        elif reason == "busy":
            self.state.close()


def decisions(lines):
    return [l.argument for l in lines if (l.side, l.kind) == ("S", "!")]


def first_block(lines):
    said = b"".join(sent(l) for l in lines if l.side == "C" and l.kind in ":>*")
    return said[said.find(b"\n") + 1:said.find(b"\n\n") + 2]


def without_text(line):
    """The words that are not for people."""
    words = str(line).split(" ")
    return words[:1] if words[0] in ("NOTE", "CLOSE") else words[:2]


class Group:
    """Transcripts that a receiver with these settings can be played, one after another; or, as they
    stop it or wait for a deadline, each ALONE."""

    def __init__(self, wants, alone=False, **settings):
        self.wants, self.alone, self.settings = wants, alone, settings


GROUPS = [
    Group(lambda d: "lapse" in d or "stop" in d, alone=True, limits=LAPSE_SOON),
    Group(lambda d: "defer busy" in d, alone=True, top="commands = 1\n",
          limits=f'line-time = "{LINE_TIME}s"\n'),
    Group(lambda d: "already erin@b.example" in d, bob=GIVES_UP),
    Group(lambda d: "result DEFER fay@b.example try later" in d, erin=PUTS_OFF),
    Group(lambda d: True),
]


def grouped(scripts):
    """What one receiver is played: pairs of a group and names."""
    found = {}
    for name, lines in scripts.items():
        group = next(g for g in GROUPS if g.wants(decisions(lines)))
        found.setdefault((group, name if group.alone else ""), []).append(name)
    return [(group, names) for (group, _), names in found.items()]


def play_all(t, a, b, kinds):
    """Plays each kind of receiver its transcripts, all at the same time, as some wait for deadlines;
    what was heard, by kind and name."""
    heard = {kind: {} for kind in kinds}

    def play(kind, group, names):
        receiver = Receiver(t, a, b, kind, names[0], **group.settings)
        for name in names:
            heard[kind][name] = Play(receiver, name, kinds[kind][name]).run()
        t.equal("an orderly end", receiver.server.stop(), 0)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for done in [threads.submit(play, kind, *each)
                     for kind, scripts in kinds.items() for each in grouped(scripts)]:
            done.result()
    return heard


def servers_transcripts():
    """Those that are for the server's role, by name."""
    found = {path.stem: read(path) for path in sorted((DIRECTORY / "delivery").glob("*.txt"))}
    return {name: lines for name, lines in found.items()
            if any(l.side == "S" and l.kind in "?!" for l in lines)}


def without(scripts, reasons):
    return {name: lines for name, lines in scripts.items() if name not in reasons}


def main(t):
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    scripts = servers_transcripts()
    t.equal("each exception is about a transcript",
            sorted({*UNPLAYABLE, *UNSPEAKABLE} - set(scripts)), [])
    heard = play_all(t, a, b, {
        "builtin": without(scripts, UNPLAYABLE), "shipped": without(scripts, UNPLAYABLE),
        "scripted": without(scripts, UNSPEAKABLE)})
    for name, said in heard["builtin"].items():
        t.equal(f"{name}: the same replies", heard["shipped"][name], said)
    t.equal("each was played, but for these", sorted(set(scripts).difference(*heard.values())),
            sorted({*UNPLAYABLE} & {*UNSPEAKABLE}))


with Tests() as tests:
    main(tests)
