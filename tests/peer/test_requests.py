"""The peer and server-post-office say the same of a thousand requests, most of them spoiled: which
are unknown, malformed, not legal now, or no requests at all."""

import random

import imrp
import tls
from lines import Reader
from support import Domain, Tests, authority

ONE, TWO = "a" * 64, "b" * 64
GOOD = ["FOLDERS", "STATUS inbox", "CHANGES inbox 0 5", f"HEADERS inbox {ONE} {TWO}",
        f"FETCH inbox {ONE} 1", f"FETCH inbox {ONE} 1 0 5", f"DELETE inbox {ONE}",
        f"MOVE inbox trash {ONE}", f"COPY inbox trash {ONE}",
        f"FLAG inbox {ONE} +seen -x if-seq=5"]
FOLDERS = ["", " inbox", "inbox x", "a%20b", "a%2Fb", "%41", "%", "/", "a/", "/a", "a//b", ".",
           "a/..", "...", "a" * 255, "a" * 256, "%20" * 255, "%20" * 256, "é" * 127, "é" * 128]
IDS = ["", "a", "A", "-a", "a-", "a" * 128, "a" * 129, "a  b", "a a", "a_", " ".join(["a"] * 2000)]
REQUESTS = [
    *GOOD, "XYZZY", "", " ", " FOLDERS", "DONE x", "STATUS", "FOLDERS x", "folders", "OK", "+", "auth",
    *(f"STATUS {folder}" for folder in FOLDERS if folder), *(f"HEADERS inbox {i}" for i in IDS),
    *(f"{word} inbox trash {i}" for word in ("MOVE", "COPY") for i in IDS), "MOVE inbox", "COPY",
    *(f"CHANGES inbox {rest}" for rest in (
        "", "0", "0 0", "0 1", "0 01", "0 18446744073709551615", "0 18446744073709551616",
        "a" * 64 + " 5", "a" * 65 + " 5", "a_b 5", "é 5", "0 5 6", "0 x")),
    *(f"FETCH inbox a {rest}" for rest in (
        "", "0", "x", "01", "1 0", "1 0 0", "1 0 1 1", "1 18446744073709551615 1",
        "18446744073709551616")),
    *(f"FLAG inbox a {rest}" for rest in (
        "", "+", "-", "+a +a", "+a -a", "+1", "+a.b_c-d", "+a$", "+" + "a" * 32, "+" + "a" * 33,
        "+a b", "+a if-seq=0", "+a if-seq=", "+a if-seq=01", "+a if-seq=1 +b", "if-seq=1 +b",
        "if-seq=1", "+a if-seq=1 if-seq=1", "+if-seq=1", " ".join(f"+f{i}" for i in range(64)),
        " ".join(f"+f{i}" for i in range(65)))),
    "FLAG inbox +seen",
]
PROOFS = ["AUTH", "AUTH bob", "AUTH bob ", "AUTH  bob CERTIFICATE", "AUTH bob  CERTIFICATE",
          "AUTH bob CERTIFICATE ", "AUTH bob CERTIFICATE x", "AUTH bob PASSWORD",
          "AUTH bob PASSWORD x", "AUTH bob PASSWORD 1025", "AUTH bob PASSWORD 3 ",
          "AUTH bob PASSWORD 3 x", "AUTH bob password 3", "AUTH " + "a" * 129 + " CERTIFICATE",
          "AUTH " + "é" * 65 + " CERTIFICATE", "AUTH  CERTIFICATE", "STATUS \xff\0", "FOLDERS\r"]


def spoiled():
    random.seed(3)
    for _ in range(500):
        text = random.choice(GOOD)
        for _ in range(random.choice([1, 1, 2])):
            at = random.randrange(len(text) + 1)
            text = text[:at] + random.choice(["", *" %+-/.0aAZé=,_$@~\u00a0"]) + \
                text[at + random.randrange(2):]
        # Of a known word and a space with nothing behind it libima says `command`, not `syntax`.
        if not text.startswith("AUTH") and text.rstrip(" ") not in imrp.REQUESTS:
            yield text


def refusal(line):
    """What the session said by itself, or nothing where the request was good."""
    words = line.split(" ")[:2]
    refused = words[0] == "FAIL" and words[1] in ("syntax", "command", "state", "framing")
    return words[1] if refused else None


def peer_says(text, authenticated):
    session = imrp.Server("b.example")
    session.authenticated_user = "bob" if authenticated else None
    session.output.clear()
    session.feed(text.encode() + b"\n")
    return refusal(bytes(session.output).decode().split("\n")[0] or "OK")


class PostOffice:
    def __init__(self, server, ca_file):
        context, self.reader = tls.client_context(ca_file, "imrp"), Reader()
        self.connection = tls.connect(server.address, "b.example", imrp.Client("b.example"), context)
        self.connection.event()

    def prove(self):
        self.connection.session.auth("bob", b"correct horse")
        return self.connection.event()

    def says(self, text):
        self.connection.stream.sendall(text.encode() + b"\n")
        while True:
            line = self.reader.line(imrp.LINE)
            if line is None:
                self.reader.feed(self.connection.stream.recv(65536))
            elif line.split(" ")[0] in ("OK", "FAIL", "DEFER"):
                return refusal(line)


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    b.add_user("bob")
    server = b.start("server-post-office")
    for authenticated in (True, False):
        office = PostOffice(server, ca.pem)
        if authenticated:
            t.equal("proved", office.prove(), ("ok",))
        for text in [*REQUESTS, *spoiled()]:
            t.equal(f"{text[:300]!r} ({'behind' if authenticated else 'before'} AUTH)",
                    peer_says(text, authenticated), office.says(text))
        office.connection.close()
    for text in PROOFS:
        t.equal(repr(text), (peer_says(text, False), PostOffice(server, ca.pem).says(text)),
                ("framing", "framing"))
