"""Transcripts as tests/transcripts/README.md describes them, and the playing of them."""

import collections
import random
import re

from lines import decoded
from support import TESTS

DIRECTORY = TESTS / "transcripts"

ESCAPE = re.compile(rb"\\(n|r|0|s|\\|x[0-9A-Fa-f]{2})")
PLAIN = {b"n": b"\n", b"r": b"\r", b"0": b"\0", b"s": b" ", b"\\": b"\\"}

Line = collections.namedtuple("Line", "side kind argument")


def octets(text):
    """What a text with escapes stands for."""
    def one(found):
        return PLAIN.get(found[1]) or bytes.fromhex(found[1][1:].decode())
    return ESCAPE.sub(one, text.encode())


def read(path):
    """The lines of a file, each as (S or C, kind, argument)."""
    found = []
    for text in path.read_text().split("\n"):
        if text and not text.startswith("#"):
            found.append(Line(text[0].upper(), text[1], text[3:]))
    return found


def sent(line):
    """The octets that a sending line stands for."""
    if line.kind == ":":
        return line.argument.encode() + b"\n"
    if line.kind == "*":
        count, text = line.argument.split(" ", 1)
        return octets(text) * int(count)
    return octets(line.argument)


PIECES = {
    "whole": lambda given: [given],
    "octet by octet": lambda given: [given[i:i + 1] for i in range(len(given))],
    "in random pieces": lambda given: [p for p in re.split(b"(.{1,%d})" % random.randint(2, 60),
                                                           given, flags=re.S) if p],
}


def escaped(given):
    """Octets as they stand in a `?` line; a space in them is written \\s."""
    names = {ord(" "): "\\s", ord("\n"): "\\n", ord("\r"): "\\r", 0: "\\0", ord("\\"): "\\\\"}
    return "".join(names.get(o) or (chr(o) if 32 < o < 127 else f"\\x{o:02x}") for o in given)


class Player:
    """Plays one side of a conversation against a session of the peer.

    A subclass gives `session`, does in `decide` what a `!` line says, and gives in `reports` what
    the session reported since, as the `?` lines write it.
    """

    def __init__(self, side):
        self.side = side
        self.reported = []

    def collect(self):
        """Octets of a part that came in several pieces are one report."""
        for report in self.reports():
            if self.reported and {report[:7], self.reported[-1][:7]} == {"octets "}:
                self.reported[-1] += report[7:]
            else:
                self.reported.append(report)

    def play(self, lines, pieces):
        """None, or what went otherwise than the transcript says."""
        for at, line in enumerate(lines):
            self.collect()
            problem = self.one(line, pieces, lines[:at])
            if problem:
                return f"at {line}: {problem}"
        self.collect()
        left = bytes(self.session.output)
        return f"not in the transcript: {self.reported} {left}" if self.reported or left else None

    def one(self, line, pieces, before):
        if line.kind in "?!":
            if line.side == self.side:
                return self.expect(line) if line.kind == "?" else self.decide(*line.argument.split(" "))
        elif line.side != self.side:
            if line.kind == ".":
                self.session.end()
            else:
                for piece in pieces(sent(line)):
                    self.session.feed(piece)
        elif line.kind != ".":
            return self.compare(sent(line), before)
        elif not self.session.closed:
            return "the session is still open"

    def expect(self, line):
        if not self.reported or self.reported[0] != line.argument:
            return f"reported {self.reported}"
        del self.reported[0]

    def compare(self, wanted, before):
        found = bytes(self.session.output[:len(wanted)])
        if found != wanted:
            found = self.without_text(wanted, before)
            if found is None:
                return f"said {bytes(self.session.output)}"
        del self.session.output[:len(found)]

    def without_text(self, wanted, before):
        """A line that differs only in text for people that the session chose itself, or None."""
        found, end, _ = bytes(self.session.output).partition(b"\n")
        decoded(found)
        kept = self.words_before_text(wanted.decode(errors="replace").rstrip("\n"))
        if kept is None or not end or not (found + b" ").startswith(kept.encode() + b" "):
            return None
        text = wanted.decode()[len(kept) + 1:-1]
        decided = text and any(l.kind == "!" and text in l.argument for l in before)
        return None if decided else found + end


def play_all(tests, directory, player):
    """Plays every file of a directory in each role that it is for, in pieces of each kind."""
    random.seed(1)
    for path in sorted((DIRECTORY / directory).glob("*.txt")):
        lines = read(path)
        for side in "SC":
            if not any(l.side == side and l.kind in "?!" for l in lines):
                continue
            for how, pieces in PIECES.items():
                problem = player(side).play(lines, pieces)
                tests.true(f"{path.name}, role {side}, {how}", problem is None, problem)
