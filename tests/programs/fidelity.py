"""What is fetched is what was sent: the same digest and the same octets, whatever the parts are."""

import hashlib
import os
import re

from harness import Domain, Tests, authority, run, stored


def split(octets):
    """A message's header block and body."""
    end = octets.index(b"\n\n") + 2
    return octets[:end], octets[end:]


def digest(block):
    """docs/message.md section 6."""
    lines = block.splitlines(keepends=True)
    return hashlib.sha256(b"".join(
        line for line in lines if not re.match(rb"(bcc|for|received): ", line))).hexdigest()


def fetched(copy, name):
    """Header block and body of a stored message, put together again (docs/mailbox.md)."""
    single = list(copy.glob(f"msg/*/{name}.ima"))
    text = (single or list(copy.glob(f"msg/*/{name}/message.ima")))[0]
    _, message = split(text.read_bytes())
    block, inline = split(message)
    body = b""
    for number, part in enumerate(re.findall(rb"^part: (\d+) ", block, re.M), 1):
        apart = [] if single else list(text.parent.glob(f"{number}-*")) + list(
            text.parent.glob(str(number)))
        if apart:
            body += apart[0].read_bytes()
        else:
            body, inline = body + inline[:int(part)], inline[int(part):]
    return block, body


def part_files(domain):
    names = ["photo.jpg", "empty", "ملف.pdf", "文書 1.txt", "…", "a'b\"c;d&e|f", "message.ima", "-rf", ".hidden",
             "x" * 200, "CON.txt", "Photo.jpg"]
    directory = domain.place / "parts"
    directory.mkdir()
    for name in names:
        (directory / name).write_bytes(b"" if name == "empty" else os.urandom(len(name) * 100))
    return [directory / name for name in names]


with Tests() as t:
    ca = authority(t.work)
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    bob = b.add_user("bob")
    b.start("server-receive")
    office = b.start("server-post-office")
    to = ["--to", "Bob <bob@b.example>", "--bcc", "bob@b.example"]
    parts = part_files(a)
    large_text = a.place / "large"
    large_text.write_text("long lines\n" * 9000)
    messages = {
        "no parts": a.message(*to, text=None),
        "an empty text": a.message(*to, text=""),
        "text without an end of line": a.message(*to, text="京都"),
        "text too large to be kept inline": a.message(*to, "--text", large_text, text=None),
        "attachments": a.message(*to, *[w for p in parts for w in ("--attach", p)]),
        "many headers": a.message(*to, *[w for n in range(900) for w in
                                         ("--header", f"x-{n}: {'значение ' * 12}{n}")]),
        "a thousand parts": a.message(*to, *["--attach", parts[0]] * 999),
    }
    for what, message in messages.items():
        sent = a.send(message)
        t.equal(f"{what}: sent", (sent.code, sent.out), (0, "OK bob@b.example\n"))
    copy = b.place / "copy"
    t.equal("fetched", b.fetch("bob", copy).code, 0)
    t.equal("the same ids", stored(copy), stored(bob))
    t.equal("each digest once", stored(copy), sorted(digest(split(m)[0]) for m in messages.values()))
    for what, message in messages.items():
        block, body = split(message)
        got, octets = fetched(copy, digest(block))
        t.equal(f"{what}: digest", digest(got), digest(block))
        t.true(f"{what}: octets", octets == body, f"{len(octets)} octets for {len(body)}")
        t.equal(f"{what}: its own bcc line stays", got.count(b"\nbcc: "), 1)
        t.equal(f"{what}: it was received once", got.count(b"\nreceived: "), 1)
    outside = [p for p in t.work.rglob("*") if p.is_file() and p.name.startswith(("-rf", ".hidden"))
               and p.parent != a.place / "parts"]
    t.equal("no name became a path or an option", outside, [])
    t.equal("an orderly end", office.stop(), 0)
