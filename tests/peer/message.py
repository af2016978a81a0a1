"""Messages: docs/message.md, section by section."""

import dataclasses
import datetime
import hashlib
import re

from lines import Broken, decoded, number

# Section 7.
LINE, BLOCK, RECIPIENTS, PARTS, RECEIVED, BODY = 8192, 262144, 1000, 1000, 50, 104857600

VISIBLE = "[!-~\u00a0-\U0010ffff]"
VALUE = f"{VISIBLE}(?:[ -~\u00a0-\U0010ffff]*{VISIBLE})?"
NAME = "[a-z](?:[a-z0-9-]*[a-z0-9])?"
LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
RESTRICTED = "[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"

HEADER_LINE = re.compile(f"({NAME}): ({VALUE})")
HOSTPART = re.compile(rf"{LABEL}(?:\.{LABEL})*")
MEDIA_TYPE = re.compile(f"{RESTRICTED}/{RESTRICTED}")
DIGEST = re.compile("[0-9a-f]{64}")
ID = re.compile(r"[!-;=?-~\u00a0-\U0010ffff]+")
WORD = re.compile("[a-z0-9-]+")
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:Z|[+-](?!00:00)(\d\d):(\d\d))",
                  re.ASCII)
ATTRIBUTE = re.compile(f"({NAME})=({VISIBLE}+)")
NAME_ATTRIBUTE = re.compile(f"(name)=( *{VALUE})")

ONCE = {"mailer", "id", "in-reply-to", "date", "subject", "auto", "from"}
ROLES = {"text", "alternative", "inline", "attachment"}
PRIVATE = {"bcc", "for"}


# Section 3

@dataclasses.dataclass(frozen=True)
class Address:
    local: str
    hostpart: str

    def __str__(self):
        return f"{self.local}@{self.hostpart}"

    def folded(self):
        """Two addresses are the same if their folded forms are equal."""
        lower = "".join(c.lower() if c.isascii() else c for c in self.local)
        return f"{lower}@{self.hostpart}"


def hostpart(text):
    last = text.rpartition(".")[2]
    if not HOSTPART.fullmatch(text) or len(text) > 253 or last.isdigit():
        raise Broken("hostpart", f"{text!r} is no hostpart")
    return text


def address(text):
    if "@" not in text:
        raise Broken("address-syntax", f"{text!r} has no @")
    local, _, host = text.partition("@")
    if not 1 <= len(local.encode()) <= 128 or re.search("[ <>]", local):
        raise Broken("address-local", f"{text!r} has no good local part")
    return Address(local, hostpart(host))


def named(text):
    """The address of a line that may have a display name before it."""
    if not text.endswith(">"):
        return address(text)
    display, bracket, inside = text[:-1].rpartition(" <")
    if not bracket or not re.fullmatch(VALUE, display):
        raise Broken("display-name", f"{text!r} has no display name before its ' <'")
    return address(inside)


# Section 4

def identifier(text):
    if not ID.fullmatch(text):
        raise Broken("id-syntax", f"{text!r} is no id")


def date(text):
    found = DATE.fullmatch(text)
    try:
        fields = [int(n or 0) for n in found.groups()]
        datetime.datetime(*fields[:6])
        datetime.time(*fields[6:])
    except (AttributeError, ValueError):
        raise Broken("date-syntax", f"{text!r} is no date") from None


def automatic(text):
    if not WORD.fullmatch(text):
        raise Broken("auto-syntax", f"{text!r} is no word")


# Section 5

@dataclasses.dataclass(frozen=True)
class Part:
    size: int
    media_type: str
    sha256: str
    attributes: dict

    def line(self):
        words = [str(self.size), self.media_type, f"sha256={self.sha256}"]
        words += [f"{k}={v}" for k, v in self.attributes.items() if k != "name"]
        words += [f"name={v}" for k, v in self.attributes.items() if k == "name"]
        return "part: " + " ".join(words)


def part(text):
    words = text.split(" ", 3)
    words += [""] * (3 - len(words))
    size = number(words[0], "part-length")
    if not MEDIA_TYPE.fullmatch(words[1]):
        raise Broken("media-type", words[1])
    if not words[2].startswith("sha256="):
        raise Broken("part-syntax", f"{words[2]!r} is no sha256=")
    sha256 = words[2].removeprefix("sha256=")
    if not DIGEST.fullmatch(sha256):
        raise Broken("digest-syntax", words[2])
    attributes = part_attributes(words[3]) if len(words) > 3 else {}
    return Part(size, words[1], sha256, attributes)


def part_attributes(text):
    """`name=` takes the rest of the line, so one attribute is looked at after another."""
    attributes = {}
    while text is not None:
        if text.startswith("name="):
            word, text, form = text, None, NAME_ATTRIBUTE
        else:
            word, space, rest = text.partition(" ")
            text, form = rest if space else None, ATTRIBUTE
        if not word:
            raise Broken("part-syntax", "two spaces")
        found = form.fullmatch(word)
        if not found or found[1] in attributes or found[1] == "sha256":
            raise Broken("part-attribute", f"{word!r} is no attribute, empty or there twice")
        if found[1] == "role" and found[2] not in ROLES:
            raise Broken("part-role", word)
        attributes[found[1]] = found[2]
    return attributes


VALUES = {"from": named, "mailer": named, "to": named, "cc": named, "bcc": named,
          "reply-to": named, "for": address, "via": address, "id": identifier,
          "in-reply-to": identifier, "references": identifier, "date": date,
          "auto": automatic, "part": part}


@dataclasses.dataclass(frozen=True)
class Message:
    """A header block that keeps every rule: its lines as (name, value), and what they mean."""

    lines: tuple

    def all(self, *names):
        """What the lines of these names say, in their order."""
        return [VALUES.get(n, str)(value) for n, value in self.lines if n in names]

    def one(self, name):
        return next(iter(self.all(name)), None)

    def octets(self, without=lambda name, value: False):
        kept = [f"{n}: {v}\n" for n, v in self.lines if not without(n, v)]
        return "".join(["ima: 1\n", *kept, "\n"]).encode()

    @property
    def parts(self):
        return self.all("part")

    @property
    def body_size(self):
        return sum(p.size for p in self.parts)

    @property
    def originator(self):
        return self.one("mailer") or self.one("from")

    @property
    def recipients(self):
        """Section 4.1: each counts once."""
        found = {}
        for one in self.all("for") or self.all("to", "cc", "bcc"):
            found.setdefault(one.folded(), one)
        return list(found.values())

    def recipients_at(self, host):
        return [a for a in self.recipients if a.hostpart == host]

    # Section 6

    @property
    def digest(self):
        left_out = PRIVATE | {"received"}
        return hashlib.sha256(self.octets(lambda n, v: n in left_out)).hexdigest()

    def for_host(self, host):
        """The block as it is shown to HOST."""
        return self.octets(lambda n, v: n in PRIVATE and VALUES[n](v).hostpart != host)

    def for_recipient(self, recipient):
        """The block as RECIPIENT's mailbox keeps it."""
        mine = recipient.folded()
        return self.octets(lambda n, v: n in PRIVATE and VALUES[n](v).folded() != mine)


def header_lines(octets):
    """Section 2: the lines between the version and the blank line, which are not looked into."""
    if len(octets) > BLOCK:
        raise Broken("header-limit", "the header block is too long")
    if not octets.endswith(b"\n\n"):
        raise Broken("truncated", "no blank line ends the header block")
    if not octets.startswith(b"ima: 1\n"):
        raise Broken("version", "the first line is not 'ima: 1'")
    line, _, octets = octets[len(b"ima: 1\n"):].partition(b"\n")
    while line:
        if len(line) + 1 > LINE:
            raise Broken("line-length", "a line is too long")
        yield decoded(line)
        line, _, octets = octets.partition(b"\n")
    if octets:
        raise Broken("blank-line", "something follows a blank line")


def parse(octets, body_limit=BODY):
    """A header block with its blank line, and nothing behind it."""
    lines, counts = [], {}
    for text in header_lines(octets):
        found = HEADER_LINE.fullmatch(text)
        if not found:
            raise Broken("line-syntax", f"{text[:80]!r} is not 'name: value'")
        name, value = found.groups()
        counts[name] = counts.get(name, 0) + 1
        check_count(name, counts)
        VALUES.get(name, str)(value)
        lines.append((name, value))
    if "from" not in counts:
        raise Broken("from-missing", "there is no from: line")
    message = Message(tuple(lines))
    if message.body_size > body_limit:
        raise Broken("body-limit", f"the parts are more than {body_limit} octets")
    if message.body_size >= 2**64:
        raise Broken("part-length", "the parts together do not fit 64 bits")
    return message


def check_count(name, counts):
    if name == "ima" or name in ONCE and counts[name] > 1:
        raise Broken("repeated", f"a second {name}: line")
    if sum(counts.get(n, 0) for n in ("to", "cc", "bcc", "for")) > RECIPIENTS:
        raise Broken("recipients-limit", f"more than {RECIPIENTS} recipients")
    if counts.get("part", 0) > PARTS:
        raise Broken("parts-limit", f"more than {PARTS} part: lines")
    if counts.get("received", 0) > RECEIVED:
        raise Broken("received-limit", f"more than {RECEIVED} received: lines")


def compose(headers, parts=()):
    """A whole message. HEADERS are (name, value); PARTS are (octets, media type, attributes)."""
    lines, body = list(headers), b""
    for octets, media_type, attributes in parts:
        announced = Part(len(octets), media_type, hashlib.sha256(octets).hexdigest(), attributes)
        lines.append(("part", announced.line().removeprefix("part: ")))
        body += octets
    block = Message(tuple(lines)).octets()
    parse(block)
    return block + body


def split(octets):
    """A whole message as its parsed header block and the octets of each part, which must match."""
    end = octets.find(b"\n\n") + 2
    if end < 2:
        raise Broken("truncated", "no blank line ends the header block")
    message, bodies = parse(octets[:end]), []
    for announced in message.parts:
        found, end = octets[end:end + announced.size], end + announced.size
        if len(found) < announced.size:
            raise Broken("truncated", "the message ends before its last part does")
        check_part(announced, found)
        bodies.append(found)
    if len(octets) > end:
        raise Broken("trailing", "octets follow the last part")
    return message, bodies


def check_part(announced, octets):
    if hashlib.sha256(octets).hexdigest() != announced.sha256:
        raise Broken("part-digest", "the octets of a part do not match its sha256=")
