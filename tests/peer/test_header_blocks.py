"""The peer and server-receive say the same of thousands of header blocks, most of them spoiled."""

import random
import re

import imdp
import message
import tls
from lines import Broken, Reader
from support import Domain, Tests, authority

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
PART = f"0 text/plain sha256={EMPTY}"
VERSION, ID, DATE, FROM, TO = LINES = [
    "ima: 1", "id: 1@a.example", "date: 2026-11-23T09:30:00Z", "from: Alice <alice@a.example>",
    "to: bob@b.example"]
GOOD = "\n".join([*LINES, "mailer: List <l@a.example>", "cc: C <c@b.example>", "references: a@b",
                  "subject: Hi there", f"part: 5 text/plain sha256={EMPTY} role=text cid=x "
                  "params=charset=utf-8 name=a b.txt", "", ""]).encode()
PIECES = [b" ", b"\n", b":", b"<", b">", b"@", b".", b"-", b"0", b"=", "é".encode(),
          "\u00a0".encode(), b"a", b"Z", b"/", b"\t", b"\xff", b"%", b"ima", b"part: ", b"name="]

# What stands behind a name, and under which names each is tried.
VALUES = {
    ("part",): [
        "", PART, *(f"{PART} {rest}" for rest in (
            "role=text", "role=", "role=x", "role=text role=text", "name=", "name=x", "name= x",
            "name=x role=y", f"sha256={EMPTY}", " role=text", "foo", "foo=bar", "foo=", "Foo=bar",
            "foo-=bar", "1=2", "=x", "params=%", "cid=é", "name==", "length=5", "a=b=c", "name",
            "name=a name=b")),
        "0", "0 text/plain", f"0  text/plain sha256={EMPTY}", f"-1 text/plain sha256={EMPTY}",
        f"18446744073709551615 text/plain sha256={EMPTY}",
        f"18446744073709551616 text/plain sha256={EMPTY}", f"01 text/plain sha256={EMPTY}",
        f"104857600 text/plain sha256={EMPTY}", f"104857601 text/plain sha256={EMPTY}",
        f"0 text sha256={EMPTY}", f"0 text/;x sha256={EMPTY}", f"0 */* sha256={EMPTY}",
        f"0 {'a' * 127}/b sha256={EMPTY}", f"0 {'a' * 128}/b sha256={EMPTY}",
        "0 text/plain sha256=", f"0 text/plain sha256={EMPTY.upper()}",
        f"0 text/plain sha256={EMPTY}0", f"0 text/plain sha1={EMPTY}"],
    ("cc", "via"): [
        *(f"{local}@b.example" for local in (
            "a", "a" * 128, "a" * 129, "é" * 64, "é" * 65, "", "a b", "a<b", "a>b", "a@b", '"a"',
            "..", "a\u00a0b")),
        *(f"a@{host}" for host in (
            "b", "b.example.", "B.example", "-b.example", "b-.example", "b..example", ".b",
            "1.2.3.4", "b.1", "b.1a", "x" * 63 + ".example", "x" * 64 + ".example", "b_c.example",
            "é.example", "0", "a--b.c", ".".join(["x" * 60] * 4) + ".abcdefghi",
            ".".join(["x" * 60] * 4) + ".abcdefghij"))],
    ("cc", "reply-to", "bcc", "for"): [
        "A <a@b.example>", "<a@b.example>", "A<a@b.example>", "A  <a@b.example>",
        "A <b <a@b.example>", "A > <a@b.example>", "A <a@b.example", "a@b.example>",
        "A <a@b.example> x", "A <>", "A < a@b.example>", "A <a@b.example >", "A <<a@b.example>",
        '"A" <a@b.example>', "a@b.example <a@b.example>", "\u00a0 <a@b.example>", "A",
        "a@b.example, c@b.example"],
    ("date",): [
        "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
        "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z",
        "2026-01-01t00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00-00:00", "2026-01-01T00:00:00+23:59", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00-23:60", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00.5Z",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "٢٠٢٦-01-01T00:00:00Z"],
    ("id", "references"): ["x", "<x>", "a b", "a<b", "é", "\u00a0"],
    ("auto",): ["report", "Report", "a b", "-", "1", "é"],
    ("x", "subject", "list-id", "a-", "-a", "1a", "a--b", "A", "a_b"): [
        "v", " v", "v ", "", "\u00a0v", "v\t", "v\x7f", "v\u0085", "\ufeffx", "\ufffe", "v  w",
        "\U0010ffff", "y" * 8184, "y" * 8189],
}
BLOCKS = [b"", b"\n", b"ima: 1\n", b"ima: 1\n\n", b"ima: 1\n\n\n", b"ima: 1\r\n\r\n", b"ima: 2\n\n",
          b"IMA: 1\n\n", b"ima: 01\n\n", b"\nima: 1\n\n", *(
              b"ima: 1\nfrom: a@a.example\n" + rest for rest in (
                  b"", b"\n", b"\nx", b"x: \xc0\x80\n\n", b"x: \xed\xa0\x80\n\n",
                  b"x: \xf4\x90\x80\x80\n\n", b"from: a@a.example\n\n", b"ima: 1\n\n", b"x:v\n\n",
                  b"x : v\n\n", b" x: v\n\n", b": v\n\n"))]


def cases():
    yield from BLOCKS
    for names, values in VALUES.items():
        for name in names:
            kept = [line for line in LINES if not line.startswith(f"{name}:")]
            for value in values:
                yield "\n".join([*kept, f"{name}: {value}", "", ""]).encode()
    for line, limit in (("cc: a@b.example", 999), ("received: x", 50), (f"part: {PART}", 1000)):
        for count in (limit, limit + 1):
            yield "\n".join([*LINES, *[line] * count, "", ""]).encode()
    random.seed(1)
    for _ in range(1500):
        yield spoiled(bytearray(GOOD))


def spoiled(block):
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        at = random.randrange(len(block))
        length = random.choice([0, 1, random.randint(1, 4)])
        block[at:at + length] = random.choice([b"", *PIECES])
    return bytes(block)


def peer_says(block):
    try:
        if not message.parse(block).recipients_at("b.example"):
            raise Broken("recipients-missing")
    except Broken as broken:
        return imdp.REASONS.get(broken.rule, "syntax"), broken.rule
    return "good", None


def server_says(connection, reader, block):
    """The answer's reason and the rule, which libima puts behind its text."""
    connection.stream.sendall(b"MAIL %d\n%sCANCEL\n" % (len(block), block))
    while True:
        line = reader.line(imdp.LINE)
        if line is None:
            reader.feed(connection.stream.recv(65536))
        elif not line.startswith(("OK ", "NORECIPIENT ")):
            break
    found = re.fullmatch(r"REJECT (\S+) .*\[([a-z0-9-]+)\]", line)
    return found.groups() if found else ("good", None)  # or refused for what a message cannot show


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    b.add_user("bob")
    server = b.start("server-receive", sections="[limits]\nmessages-per-connection = 100000\n"
                                                "recipients-per-connection = 10000000\n")
    context, reader = tls.client_context(ca.pem, "imdp", a.chain, a.key), Reader()
    with tls.connect(server.address, "b.example", imdp.Client("b.example"), context) as connection:
        connection.event()
        for block in cases():
            t.equal(f"{block[:400]}", peer_says(block), server_says(connection, reader, block))
