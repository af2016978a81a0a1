"""The peer reads every vector of tests/vectors as it says there."""

import re

import message
from lines import Broken
from support import TESTS, Tests

VECTORS = TESTS / "vectors"
ESCAPES = {"r": "\r", "0": "\0", "\\": "\\"}


def cases(text):
    """(good or bad, digest or rule, description, block) of each case."""
    found = re.findall(r"^(good|bad) (\S+) (.*)\n((?:\|.*\n)*)", text, re.M)
    for kind, wanted, description, lines in found:
        block = "".join(unescaped(line[2:]) + "\n" for line in lines.split("\n")[:-1])
        yield kind, wanted, description, block.encode()


def unescaped(text):
    return re.sub(r"\\(.)", lambda escape: ESCAPES[escape[1]], text)


def reading(block):
    """The digest of a block, or the rule that it breaks."""
    try:
        return "good", message.parse(block).digest
    except Broken as broken:
        return "bad", broken.rule


with Tests() as t:
    for file in sorted(VECTORS.glob("*.txt")):
        for kind, wanted, description, block in cases(file.read_text()):
            t.equal(f"{file.name}: {description}", reading(block), (kind, wanted))
