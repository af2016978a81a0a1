"""A mailbox on disk: docs/mailbox.md, as a reader and a deliverer see it.

Left out: the lock, and with it taking in and all other changes of the journal; the index; quotas.
"""

import collections
import dataclasses
import datetime
import os
import pathlib
import re
import secrets
import time
import zlib

import message
from lines import CONTROL, Broken, number

FORMAT = b"ima-mailbox 1\n"
ID = re.compile("[0-9a-f]{64}(?:-[0-9a-f]{16})?")
LINE = re.compile(rb"([0-9a-f]{8}) (([1-9][0-9]*) ([mdfxc]) ([^\n]*))\n")
UNSAFE = re.compile('[\x00-\x1f\x7f-\x9f/\\\\:*?"<>|\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]')
TWO_DIGITS = [f"{n:02x}" for n in range(256)]


# Section 3

def is_inline(part):
    return (part.media_type.startswith("text/") and "name" not in part.attributes and
            part.attributes.get("role") != "attachment" and part.size <= 65536)


def attachment_name(at, part):
    safe = UNSAFE.sub("_", part.attributes.get("name", ""))
    safe = safe.encode()[:120].decode(errors="ignore").rstrip(". ")
    return f"{at}-{safe}" if safe else str(at)


# Section 4

def write_record(values):
    record = "".join(f"{k}: {v}\n" for k, v in [("ima-record", "1"), *values.items()]) + "\n"
    if len(record.encode()) > 16384 or any(CONTROL.search(v) for v in values.values()):
        raise Broken("record-text", "too long, or with a control character")
    return record.encode()


def read_record(octets):
    """The record's values, and what stands behind it."""
    text, end, rest = octets.partition(b"\n\n")
    first, *lines = text.decode().split("\n")
    if first != "ima-record: 1" or not end:
        raise Broken("message-damaged", "no record")
    return dict(line.split(": ", 1) for line in lines), rest


# Section 5

Entry = collections.namedtuple("Entry", "folder size arrived flags seq")


@dataclasses.dataclass
class Journal:
    """What a journal says as a whole; `torn` counts the octets behind its last whole append."""

    generation: int
    seq: int = 0
    folders: dict = dataclasses.field(default_factory=dict)  # number -> (role or "-", name)
    messages: dict = dataclasses.field(default_factory=dict)  # id -> Entry
    torn: int = 0

    def apply(self, seq, kind, text):
        if kind == "m":
            which, folder, size, arrived, flags = text.split(" ")
            self.messages[which] = Entry(int(folder), int(size), int(arrived),
                                         [] if flags == "-" else flags.split(","), seq)
        elif kind == "d":
            self.messages.pop(text, None)
        elif kind == "f":
            at, role, name = text.split(" ", 2)
            self.folders[int(at)] = (role, name)
        elif kind == "x":
            self.folders.pop(int(text), None)

    def check(self, text):
        """Against what a `c` line says."""
        _, messages, octets = map(number, text.split(" "))
        if (messages, octets) != (len(self.messages), sum(m.size for m in self.messages.values())):
            raise Broken("journal-damaged", "the counts of a c line are others")


def checked(line):
    """A line as (seq, kind, text), or None where it does not check."""
    found = LINE.fullmatch(line)
    if not found or int(found[1], 16) != zlib.crc32(found[2]):
        return None
    return int(found[3]), found[4].decode(), found[5].decode()


def read_journal(octets):
    header = re.match(rb"ima-journal 1 ([1-9][0-9]*)\n", octets)
    if not header:
        raise Broken("journal-damaged", "no first line")
    journal, whole, pending = Journal(int(header[1])), header.end(), []
    lines = re.findall(rb"[^\n]*\n|[^\n]+$", octets[whole:])
    for at, line in enumerate(lines):
        found = checked(line)
        if not found:
            look_behind(lines[at:], journal)
            break
        if found[0] != journal.seq + len(pending) + 1:
            raise Broken("journal-damaged", "a seq is missing or there twice")
        pending.append(found)
        if found[1] == "c":
            whole += commit(journal, pending)
            pending = []
    journal.torn = len(octets) - whole
    return journal


def commit(journal, lines):
    """An append counts as a whole; gives its octets."""
    *before, (seq, _, text) = lines
    if number(text.split(" ")[0]) != len(before):
        raise Broken("journal-damaged", "an append does not begin where the last one ended")
    for line in before:
        journal.apply(*line)
    journal.check(text)
    journal.seq = seq
    return sum(len(f"00000000 {s} {k} {t}\n".encode()) for s, k, t in lines)


def look_behind(lines, journal):
    """Something written after the damage tells it from a torn tail."""
    for at, line in enumerate(lines):
        found = checked(line)
        if not found or found[1] != "c":
            continue
        begins = found[0] - number(found[2].split(" ")[0])
        if at + 1 < len(lines) or begins != journal.seq + 1:
            raise Broken("journal-damaged", "a line does not check and others follow")


def journal_line(seq, body):
    text = f"{seq} {body}"
    return f"{zlib.crc32(text.encode()):08x} {text}\n".encode()


# The directory

def sync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path, octets):
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(handle)


def create(path, folders=(("inbox", "inbox"),)):
    """A new mailbox with folders, each a role and a name; it is one once it has its `format`."""
    path = pathlib.Path(path)
    for name in ("", "tmp", "new", "msg", "gone", "sync",
                 *(f"{d}/{x}" for d in ("msg", "gone") for x in TWO_DIGITS)):
        (path / name).mkdir(mode=0o700)
    write(path / "lock", b"")
    lines = [f"f {at} {role} {name}" for at, (role, name) in enumerate(folders, 1)]
    lines.append(f"c {len(folders)} 0 0")
    write(path / "journal", f"ima-journal 1 {int(time.time())}\n".encode() +
          b"".join(journal_line(seq, line) for seq, line in enumerate(lines, 1)))
    for name in ("msg", "gone"):
        sync(path / name)
    write(path / "format", FORMAT)
    sync(path)
    return Mailbox(path)


class Mailbox:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        if (self.path / "format").read_bytes() != FORMAT:
            raise Broken("mailbox-format", "not a mailbox of version 1")

    def journal(self):
        return read_journal((self.path / "journal").read_bytes())

    def waiting(self):
        """The ids of what was delivered and is not taken in yet."""
        return sorted(p.name.removesuffix(".ima") for p in (self.path / "new").iterdir())

    def place(self, which):
        """The file or directory of a message, or None."""
        for directory in (self.path / "new", self.path / "msg" / which[:2]):
            for place in (directory / f"{which}.ima", directory / which):
                if place.exists():
                    return place
        return None

    def read(self, which):
        """A message: the record's values, the parsed header block, the octets of each part."""
        place = self.place(which)
        if place is None:
            raise Broken("no-message", which)
        inside = place.is_dir()
        record, rest = read_record((place / "message.ima" if inside else place).read_bytes())
        block, end, inline = rest.partition(b"\n\n")
        header, bodies = message.parse(block + end), []
        for at, part in enumerate(header.parts, 1):
            if is_inline(part):
                octets, inline = inline[:part.size], inline[part.size:]
            else:
                octets = (place / attachment_name(at, part)).read_bytes()
            message.check_part(part, octets)
            bodies.append(octets)
        if inline or inside == all(map(is_inline, header.parts)) or header.digest != which[:64]:
            raise Broken("message-damaged", f"{which} is not stored as it should be")
        return record, header, bodies

    # Section 6

    def deliver(self, header, bodies, recipient, **record):
        """Delivers a message durably; False where it was delivered before."""
        which = header.digest
        if (self.path / "gone" / which[:2] / which).exists() or self.place(which):
            return False
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        known = {"received": now, "recipient": str(recipient),
                 **{k.replace("_", "-"): v for k, v in record.items()}}
        parts = list(enumerate(zip(header.parts, bodies), 1))
        file = write_record(known) + header.for_recipient(recipient) + \
            b"".join(octets for _, (part, octets) in parts if is_inline(part))
        apart = [(attachment_name(at, part), octets) for at, (part, octets) in parts
                 if not is_inline(part)]
        built = self.path / "tmp" / secrets.token_hex(16)
        delivered = self.name_file(built, which, file) if not apart else \
            self.name_directory(built, which, [("message.ima", file), *apart])
        sync(self.path / "new")
        return delivered

    def name_file(self, built, which, octets):
        built = built.with_suffix(".ima")
        write(built, octets)
        try:
            os.link(built, self.path / "new" / f"{which}.ima")
        except FileExistsError:
            return False  # somebody was faster
        finally:
            built.unlink()
        return True

    def name_directory(self, built, which, files):
        built.mkdir(mode=0o700)
        for name, octets in files:
            write(built / name, octets)
        sync(built)
        try:
            os.rename(built, self.path / "new" / which)
        except OSError:  # the name is there, and its directory not empty
            for name, _ in files:
                (built / name).unlink()
            built.rmdir()
            return False
        return True
