"""corpus PROGRAMS: translates every mail of a corpus and compares with what independent parsers
make of it. The corpus is a directory named by IMA_CORPUS, which holds expected.jsonl (one object a
line: file, header, parts, undecided) and the files; it is no part of the project.

Where the parsers agree (nothing is `undecided`), ima-translate must agree in 99 of 100 mails; the
classes of exceptions are in docs/compatibility.md. Every mail, whatever the parsers say, must be
translated without a crash and within time and memory, and must survive a round trip."""

import binascii
import collections
import concurrent.futures
import email
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

PROGRAM = pathlib.Path(sys.argv[1]).resolve() / "ima-translate"
NOBODY = "unknown@mime.invalid"
MEMORY = 64 << 20


def translate(octets, source, target):
    """Runs ima-translate on octets; returns its output, its complaints and its memory in octets."""
    with tempfile.TemporaryFile() as into, tempfile.TemporaryFile() as out, \
            tempfile.TemporaryFile() as said:
        into.write(octets)
        into.seek(0)
        child = subprocess.Popen([PROGRAM, "--from", source, "--to", target], stdin=into,
                                 stdout=out, stderr=said)
        killer = threading.Timer(60, child.kill)
        killer.start()
        _, status, used = os.wait4(child.pid, 0)
        killer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said.seek(0)
        complaints = said.read().decode(errors="replace")
        if child.returncode != 0:
            raise RuntimeError(f"exit code {child.returncode}: {complaints}")
        return out.read(), complaints, used.ru_maxrss * 1024


class Part:
    def __init__(self, value):
        words = value.split(" ")
        self.size, self.type = int(words[0]), words[1]
        self.sha256 = words[2].removeprefix("sha256=")
        rest = value.split(" ", 3)[3] if len(words) > 3 else ""
        self.name = None
        at = (" " + rest).find(" name=")
        if at >= 0:
            self.name = rest[at + 5:]
            rest = rest[:at]
        self.attributes = dict(w.split("=", 1) for w in rest.split())
        self.octets = b""

    @property
    def original(self):
        return int(self.attributes.get("original", 0))


class Message:
    def __init__(self, octets):
        end = octets.index(b"\n\n")
        self.lines = [tuple(l.split(": ", 1)) for l in octets[:end].decode().split("\n")]
        self.parts = [Part(v) for n, v in self.lines if n == "part"]
        at = end + 2
        for part in self.parts:
            part.octets = octets[at:at + part.size]
            at += part.size
            assert hashlib.sha256(part.octets).hexdigest() == part.sha256, "a part's digest"
        assert at == len(octets), "octets behind the last part"

    def all(self, name):
        return [v for n, v in self.lines if n == name]

    def first(self, name):
        return (self.all(name) or [None])[0]

    def digest(self):
        lines = [f"{n}: {v}\n" for n, v in self.lines if n not in ("bcc", "for", "received")]
        return hashlib.sha256(("".join(lines) + "\n").encode()).hexdigest()


def unescape(text):
    return re.sub("%([0-9A-F]{2})", lambda m: chr(int(m[1], 16)), text)


# What stands in no part of the mail.
KEPT = {("message/rfc822", "header.eml"), ("application/octet-stream", "preamble.txt"),
        ("application/octet-stream", "epilogue.txt")}


def leaves(message):
    """The parts as a MIME parser sees them: what is kept whole or nested is opened."""
    made_of = {p.original: i for i, p in enumerate(message.parts) if p.original}
    for number, part in enumerate(message.parts, 1):
        if (part.type, part.name) in KEPT:
            continue
        if number in made_of:  # an original whose translation stands before it
            continue
        if part.type == "multipart/encrypted":
            boundary = dict(p.split("=", 1) for p in part.attributes["params"].split(";"))
            head = f'Content-Type: multipart/mixed; boundary="{unescape(boundary["boundary"])}"\n\n'
            yield from leaves(Message(translate(head.encode() + part.octets, "eml", "ima")[0]))
        elif part.type in ("message/rfc822", "message/global", "message/news"):
            yield from leaves(opened(part.octets))
        else:
            original = message.parts[part.original - 1] if part.original else part
            yield part, original if "content-type" in original.attributes else None


def opened(octets):
    nested = Message(translate(octets, "eml", "ima")[0])
    if not nested.parts:
        nested.parts.append(Part(f"0 text/plain sha256={hashlib.sha256(b'').hexdigest()}"))
    return nested


def squash(text):
    return re.sub(r"\s+", " ", text or "").strip()


def address(text):
    """A display name and an address, ready to be compared: names without their spaces, as some
    parsers keep spaces between encoded words, which RFC 2047 section 6.2 forbids."""
    name, bracket, addr = text.rpartition(" <")
    addr = addr.removesuffix(">") if bracket else text
    return "".join(name.split()) if bracket else "", addr.lower()


def wanted_addresses(listed):
    return [("".join((a["name"] or "").split()), wire(a["addr"].lower())) for a in listed or [] if a["addr"]]


def wire(addr):
    """With the host as it is on the wire."""
    local, at, host = addr.rpartition("@")
    try:
        return local + at + host.encode("idna").decode()
    except UnicodeError:
        return addr


def raw_fields(message, name):
    out = []
    for value in message.all("mime-field"):
        field, _, text = value.partition(":")
        if field.lower() == name:
            out.append(text.strip())
    return out


def compare_header(message, wanted, complain):
    if wanted["subject"] is not None or message.first("subject"):
        found = message.first("subject") or "".join(raw_fields(message, "subject"))
        if squash(found) != squash(wanted["subject"]):
            complain("subject", wanted["subject"], found)
    if wanted["date_iso"]:
        found = message.first("date")
        if found is None or iso(found) != wanted["date_iso"]:
            complain("date", wanted["date_iso"], found or raw_fields(message, "date"))
    if wanted["message_id"]:
        found = message.first("id")
        raw = raw_fields(message, "message-id")
        if f"<{found}>" != wanted["message_id"] and wanted["message_id"] not in raw:
            complain("id", wanted["message_id"], found or raw)
    for field in ("from", "to", "cc"):
        found = [address(v) for v in message.all(field)]
        found = [a for a in found if a[1] != NOBODY]
        expected = wanted_addresses(wanted[field])
        if found != expected and not raw_fields(message, field):
            complain(field, expected, found)


def iso(text):
    import datetime
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sums(octets):
    lf = octets.replace(b"\r\n", b"\n")
    return {hashlib.sha256(o).hexdigest() for o in (octets, lf, lf.rstrip(b"\r\n"))}


def decoded(part):
    if part.attributes.get("content-transfer-encoding") != "base64":
        return part.octets
    letters = re.sub(b"[^A-Za-z0-9+/]", b"", part.octets.partition(b"=")[0])
    return binascii.a2b_base64(letters[:len(letters) - (len(letters) % 4 == 1)] + b"==")


def compare_leaf(pair, wanted, complain):
    part, original = pair
    found = unescape(part.attributes.get("content-type", part.type)).partition(";")[0].strip()
    if found != wanted["type"]:
        complain("type", wanted["type"], found)
    if squash(part.name) != squash(wanted["filename"]) and \
            squash(part.name) != squash(wanted.get("filename_alt")):
        complain("filename", wanted["filename"], part.name)
    if wanted.get("text_sha256"):
        good = wanted["text_sha256"] in sums(part.octets)
    else:
        known = {wanted["sha256"], wanted["sha256_lf"], wanted["sha256_trim"]}
        good = bool(known & (sums(part.octets) | sums(decoded(original or part))))
    if not good:
        complain("content", wanted.get("text_sha256") or wanted["sha256_trim"], part.octets[:60])


def compare(message, wanted):
    problems = []

    def complain(what, expected, found):
        problems.append((what, expected, found))

    compare_header(message, wanted["header"], complain)
    found = list(leaves(message))
    if not found and len(wanted["parts"]) == 1 and wanted["parts"][0]["size"] == 0:
        return problems
    if len(found) != len(wanted["parts"]):
        complain("parts", [p["type"] for p in wanted["parts"]], [p.type for p, _ in found])
    else:
        for pair, expected in zip(found, wanted["parts"]):
            compare_leaf(pair, expected, complain)
    return problems


def dispositions(octets):
    """What each leaf says of it."""
    return [str(p.get("content-disposition", "")).partition(";")[0].strip().lower()
            for p in email.message_from_bytes(octets).walk() if not p.is_multipart()]


def compare_dispositions(before, after, complain):
    """None is given to a part that had none. What is kept beside the parts is no part."""
    had, has = dispositions(before), dispositions(after)
    if len(had) == len(has) and any(new and not old for old, new in zip(had, has)):
        complain("disposition", had, has)


def try_one(corpus, wanted):
    octets = (corpus / wanted["file"]).read_bytes()
    try:
        made, _, memory = translate(octets, "eml", "ima")
        message = Message(made)
        back, _, memory_back = translate(made, "ima", "eml")
        again, _, _ = translate(back, "eml", "ima")
    except (RuntimeError, AssertionError, subprocess.TimeoutExpired) as problem:
        return wanted, [("broken", "", str(problem))], 0
    problems = compare(message, wanted)
    compare_dispositions(octets, back, lambda *what: problems.append(what))
    if Message(again).digest() != message.digest():
        problems.append(("round-trip", "", ""))
    return wanted, problems, max(memory, memory_back)


def main():
    place = os.environ.get("IMA_CORPUS")
    if not place:
        print("IMA_CORPUS is not set: no corpus of real mail to try", file=sys.stderr)
        sys.exit(77)
    corpus = pathlib.Path(place)
    wanted = [json.loads(line) for line in (corpus / "expected.jsonl").open()]
    if len(sys.argv) > 2:
        wanted = [w for w in wanted if sys.argv[2] in w["file"]]
    agreed = differing = broken = 0
    most = 0
    classes = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for w, problems, memory in pool.map(lambda w: try_one(corpus, w), wanted):
            most = max(most, memory)
            decided = not w["undecided"]
            broken += any(p[0] in ("broken", "round-trip") for p in problems)
            agreed += decided and not problems
            differing += decided and bool(problems)
            for what, expected, found in problems:
                classes[(what, decided)] += 1
                if decided or os.environ.get("IMA_VERBOSE"):
                    print(f"{w['file']}: {what}: wanted {expected!r}, found {found!r}"[:600],
                          file=sys.stderr)
    print(f"{len(wanted)} mails; the parsers agree on {agreed + differing}, and we with them on "
          f"{agreed}; at most {most >> 20} MiB; {broken} broken", file=sys.stderr)
    for (what, decided), count in sorted(classes.items()):
        print(f"  {what}{'' if decided else ' (undecided)'}: {count}", file=sys.stderr)
    sys.exit(0 if agreed * 100 >= 99 * (agreed + differing) and broken == 0 and most <= MEMORY
             else 1)


main()
