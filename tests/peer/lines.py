"""Lines and counted octets: what docs/delivery.md section 2 and docs/retrieval.md section 2 share."""

import re

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
NUMBER = re.compile("0|[1-9][0-9]*")


class Broken(Exception):
    """A rule of the specification was broken: its word, and a text for people."""

    def __init__(self, rule, text=""):
        super().__init__(f"{text} [{rule}]")
        self.rule, self.text = rule, text


def number(text, rule="number"):
    """Decimal digits without sign or leading zero, at most 2^64 - 1."""
    if not NUMBER.fullmatch(text) or len(text) > 20 or int(text) >= 2**64:
        raise Broken(rule, f"{text[:80]!r} is no number")
    return int(text)


def decoded(octets):
    """The text of a line without its LF; what is wrong first is reported."""
    try:
        text, wrong = octets.decode(), False
    except UnicodeDecodeError as error:
        text, wrong = octets[:error.start].decode(), True
    if CONTROL.search(text):
        raise Broken("line-control", "a control character")
    if wrong:
        raise Broken("line-utf8", "not well-formed UTF-8")
    return text


def for_people(text, limit=512):
    """A stranger's text as it may stand in a line: no control characters, not too long."""
    octets = CONTROL.sub("\ufffd", text).encode()[:limit]
    return octets.decode(errors="ignore")


class Reader:
    """Octets as they come; taken out as lines and as counted octets."""

    def __init__(self):
        self._octets = bytearray()
        self.ended = False

    def __len__(self):
        return len(self._octets)

    def feed(self, octets):
        self._octets += octets

    def line(self, limit):
        """The next line without its LF; None as long as it is not there whole."""
        end = self._octets.find(b"\n", 0, limit)
        if end < 0:
            if len(self._octets) >= limit:
                raise Broken("line-length", f"a line is longer than {limit} octets")
            return None
        text = decoded(bytes(self._octets[:end]))
        del self._octets[:end + 1]
        return text

    def take(self, most):
        """As many octets as are there, MOST at most."""
        taken = bytes(self._octets[:most])
        del self._octets[:most]
        return taken

    def exactly(self, count):
        """COUNT octets; None as long as they are not all there."""
        return self.take(count) if len(self._octets) >= count else None
