"""A server on the Internet: peers that are slow, loud, many, or strange, and handlers that are no
better. Each is ended by a limit or answered, at a bounded cost, and everybody else's mail goes on."""

import contextlib
import hashlib
import socket
import ssl
import time

from harness import Domain, Tests, authority, peak_memory, stored
from imdp import Peer, header

EMPTY = hashlib.sha256(b"").hexdigest()
PATIENCE = 60  # seconds, for what a limit of a second ends
LIMITS = """[limits]
handshake-time = "1s"
line-time = "1s"
idle-time = "30s"
accept-time = "30s"
body-time = "1s"
connections-per-peer = 20
"""


class Attack:
    def __init__(self, t):
        self.t = t
        ca = authority(t.work)
        self.a, self.b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
        self.box = self.b.add_user("bob")
        self.server = self.b.start("server-receive", 'command-time = "2s"\n', LIMITS)
        self.sent = 0

    def peer(self, chain=None, key=None):
        return Peer(self.server.address, "b.example", chain or self.a.chain, key or self.a.key,
                    self.a.ca.pem)

    def plain(self):
        return socket.create_connection(("127.0.0.1", self.server.port), PATIENCE)

    def lives_on(self, what):
        """Somebody else's mail is delivered."""
        self.sent += 1
        peer = self.peer()
        lines = peer.deliver(header("alice@a.example", "bob@b.example",
                                    lines=(f"subject: {what} {self.sent}",)), b"hello\n")
        self.t.equal(f"{what}: others go on", lines[-1], "OK")
        peer.close()

    def is_ended(self, what, connection, trickle):
        """The server ends it although an octet comes again and again."""
        until = time.monotonic() + PATIENCE
        connection.settimeout(0.1)
        while time.monotonic() < until:
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                try:
                    connection.sendall(next(trickle))
                    if not connection.recv(4096):
                        break
                except (ConnectionError, ssl.SSLError, StopIteration) as end:
                    if not isinstance(end, (ssl.SSLWantReadError, TimeoutError)):
                        break
        self.t.true(f"{what}: ended", time.monotonic() < until)
        connection.close()


def octets(text):
    for i in range(len(text)):
        yield text[i:i + 1]


def client_hello():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["imdp"])
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="b.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def slow_peers(s):
    s.is_ended("a slow handshake", s.plain(), octets(client_hello()))
    block = header("alice@a.example", "bob@b.example", parts=(b"x" * 200_000,))
    said = s.peer()
    said.say(b"MAIL %d\n" % len(block))
    s.is_ended("a slow header block", said.socket, octets(block))
    said = s.peer()
    s.t.equal("accepted", said.offer(block)[-1], "ACCEPT")
    said.say(b"DATA 200000\n")
    s.is_ended("a slow body", said.socket, octets(b"x" * 200_000))
    s.lives_on("slow peers")
    s.t.equal("nothing is left of the slow body", list((s.box / "tmp").iterdir()), [])


def one_who_does_not_read(s):
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    plain.connect(("127.0.0.1", s.server.port))
    plain.close()
    said = s.peer()
    said.socket.settimeout(PATIENCE)
    flood = b"MAIL 1\nx" * 1000
    stopped = False
    for _ in range(1 << 23):  # 64 GiB: what a server that has closed still throws away is less
        try:
            said.say(flood)
        except (ConnectionError, ssl.SSLError):
            stopped = True
            break
    s.t.true("a flood without reading is stopped", stopped)
    said.close()
    s.lives_on("a flood")


def half_open(s):
    """The network ends inside a message without TLS's own end."""
    before = len(stored(s.box))
    for cut in (b"MAIL 100\nima: 1\n", b"MAIL 1", b""):
        said = s.peer()
        said.say(cut)
        said.half_close()
        s.t.true("it hears no more than why", (said.line() or "CLOSE").startswith("CLOSE"))
        said.close()
    said = s.peer()
    s.t.equal("accepted", said.offer(header("alice@a.example", "bob@b.example"))[-1], "ACCEPT")
    said.say(b"DATA 6\nhel")
    said.half_close()
    while said.line() is not None:
        pass
    s.t.equal("nothing is delivered of it", len(stored(s.box)), before)
    s.lives_on("half-open connections")


def a_crowd(s):
    crowd = [s.plain() for _ in range(40)]
    refused = 0
    for each in crowd[20:]:
        each.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionError):
            refused += each.recv(1) == b""
    s.t.equal("more than one peer's share is closed at once", refused, 20)
    s.t.true("and the log says so", s.server.wait_for("connection-refused peer=127.0.0.1"))
    for each in crowd:
        each.close()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            s.peer().close()
            break
    s.lives_on("a crowd")


def commands_out_of_order(s):
    most = str(2**64 - 1).encode()
    body = b"DATA 6\nhello\n"
    for what, said, rule in (
            ("DATA after CANCEL", b"%sCANCEL\n" + body, "command-order"),
            ("CANCEL first", b"CANCEL\n%s", "command-order"),
            ("CANCEL twice", b"%sCANCEL\nCANCEL\n", "command-order"),
            ("DATA twice", b"%s" + body + body, "command-order"),
            ("MAIL after ACCEPT", b"%sMAIL 1\nx", "command-order"),
            ("DONE after ACCEPT", b"%sDONE\n", "command-order"),
            ("the largest count of a header", b"MAIL " + most + b"\n%s", "header-limit"),
            ("the largest count of a body", b"MAIL 1\nxDATA " + most + b"\n%s", "data-length"),
            ("the largest count of an accepted body", b"%sDATA " + most + b"\n", "data-length")):
        block = header("alice@a.example", "bob@b.example", lines=(f"subject: {what}",))
        peer = s.peer()
        peer.say(said % (b"MAIL %d\n" % len(block) + block))
        lines = []
        while (line := peer.line()) is not None:
            lines.append(line)
        s.t.true(f"{what}: closed", lines and lines[-1].startswith("CLOSE "), lines)
        s.t.true(f"{what}: the rule", lines and f"[{rule}]" in lines[-1], lines)
        peer.close()
    s.lives_on("disorder")


def strange_messages(s):
    peer = s.peer()

    def of_parts(count):
        part = f"part: 0 text/plain sha256={EMPTY}"
        return header("alice@a.example", "bob@b.example", parts=(),
                      lines=[f"subject: {count} parts", *[part] * count])

    s.t.equal("as many empty parts as may be", peer.deliver(of_parts(1000), b"")[-1], "OK")
    s.t.true("one more", peer.offer(of_parts(1001))[-1].startswith("REJECT size"))
    s.t.true("65,535", peer.offer(of_parts(65_535))[-1].startswith("REJECT size"))

    def to_many(count):
        return header("alice@a.example", "bob@b.example",
                      lines=[f"for: x{i}@c.example" for i in range(count - 1)] +
                      ["for: BOB@b.example"] * 1)

    s.t.equal("as many recipients as may be, of whom one is ours",
              peer.deliver(to_many(999), b"hello\n")[-2:], ["OK BOB@b.example", "OK"])
    s.t.true("more", peer.offer(to_many(1000))[-1].startswith("REJECT recipients"))
    s.t.true("thousands", peer.offer(to_many(5000))[-1].startswith("REJECT "))
    same = ["for: bob@b.example", "for: BOB@b.example", "for: bOb@b.example"]
    s.t.equal("one recipient by three spellings",
              peer.deliver(header("alice@a.example", lines=[*same, "subject: same"]), b"hello\n"),
              ["ACCEPT", "OK bob@b.example", "OK"])
    before = sorted(p.name for p in s.b.place.iterdir())
    for who in ("../bob@b.example", "..@b.example", "/etc/passwd@b.example", "-rf@b.example",
                "bob@b.example.", "bob@B.EXAMPLE", "b\u043eb@b.example", "bob\u200b@b.example",
                "\u017fob@b.example", "bob@b.example@b.example", "bob%b.example@c.example",
                "bo b@b.example", "<bob>@b.example", "bob@[127.0.0.1]", "@b.example", "bob@",
                "x" * 4000 + "@b.example", "bob+" + "y" * 3000 + "@B.example"):
        answer = peer.offer(header("alice@a.example", who))
        s.t.true(f"{who[:30]!a} is nobody", answer[-1].startswith("REJECT "), answer)
    s.t.equal("no address is a path", sorted(p.name for p in s.b.place.iterdir()), before)
    peer.close()
    s.lives_on("strange messages")


def strange_certificates(s):
    def with_names(count):
        listed = ",".join(f"DNS:n{i}.a.example" for i in range(count))
        return s.a.ca.certificate(s.t.work / f"names{count}", subject="/CN=many", extensions=(
            f"subjectAltName={listed},DNS:a.example",))

    peer = s.peer(*with_names(2000))
    s.t.equal("a certificate of many names proves the last of them", peer.offer(
        header("alice@a.example", "bob@b.example", lines=("subject: names",)))[-1], "ACCEPT")
    peer.close()
    with contextlib.suppress(OSError):
        peer = s.peer(*with_names(100_000))
        s.t.equal("one of a hundred thousand is too large", peer.greeting, None)
    s.t.true("the server says so", s.server.wait_for("handshake-failed .*excessive"),
             s.server.text()[-1000:])
    s.lives_on("a large certificate")


def bad_handlers(s):
    """Commands that forge, flood, or do not listen hold up nobody, and only themselves."""
    place = s.b.place
    scripts = {
        "loud": "yes OK eve@b.example",
        "deaf": "sleep 60",
        "forger": r"cat >/dev/null; printf 'OK\n\r\nOK\nOK bob@b.example\nDATA 5\n\0\377\nFAIL'; exit 75",
        "talker": "cat >/dev/null; seq 100000; exit 0",
        "parent": "cat >/dev/null; (sleep 60; echo late) & exit 0",
    }
    routes = s.b.routes
    s.b.routes = []
    receive = s.b.receive_settings
    s.b.receive_settings = lambda top, sections, tls: (
        f'listen = ["127.0.0.1:0"]\n{top}\n{sections}\n{s.b.tls(tls)}')
    body = b"z" * 300_000
    for name, script in scripts.items():
        path = place / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        patience = "1s" if name in ("loud", "deaf") else "60s"  # these two use all of it
        server = s.b.start("server-receive",
                           f'handler = ["{path}"]\ncommand-time = "{patience}"\n')
        peer = Peer(server.address, "b.example", s.a.chain, s.a.key, s.a.ca.pem)
        lines = peer.deliver(header("alice@a.example", "bob@b.example", parts=(body,)), body)
        s.t.equal(f"{name}: the verdict is its exit code's alone", lines[-1],
                  "OK" if name in ("talker", "parent") else "DEFER")
        notes = [line for line in lines[1:-1] if line.startswith("NOTE ")]
        s.t.true(f"{name}: no more than is allowed", len(notes) <= 100, len(notes))
        s.t.equal(f"{name}: nothing but remarks and its own results",
                  [line for line in lines[1:-1] if line not in notes],
                  ["OK bob@b.example"] if name == "forger" else [])
        peer.close()
        s.t.true(f"{name}: memory", peak_memory(server.process.pid) < 64 << 20)
        s.t.equal(f"{name}: the server ends in order", server.stop(), 0)
    s.b.routes, s.b.receive_settings = routes, receive


with Tests() as tests:
    attack = Attack(tests)
    for each in (slow_peers, one_who_does_not_read, half_open, a_crowd, commands_out_of_order,
                 strange_messages, strange_certificates):
        each(attack)
    tests.true("the server's memory", peak_memory(attack.server.process.pid) < 64 << 20,
               peak_memory(attack.server.process.pid))
    tests.equal("what came is there once", len(set(stored(attack.box))), len(stored(attack.box)))
    tests.equal("the server ends in order", attack.server.stop(), 0)
    bad_handlers(attack)
