"""Whole conversations, drawn at random and sent without waiting, to server-receive and to the peer:
both answer the same words in the same order, and both close."""

import contextlib
import random

import imdp
import message
import tls
from support import Domain, Tests, authority

FILLER = b"x\n" * 2000  # ends every conversation: a command that is none, behind any body


def offer(draw, number):
    """A MAIL command, and the body of its message."""
    recipient = draw.choice([*["bob@b.example"] * 5, "nobody@b.example", "x@c.example"])
    originator = draw.choice([*["alice@a.example"] * 6, "x@evil.example"])
    text = draw.choice([b"hello\n", b"", b"x" * 300])
    header, bodies = message.split(message.compose(
        [("id", number), ("from", originator), ("to", recipient)],
        [(text, "text/plain", {})] if text else []))
    block = header.octets()
    if draw.random() < 0.1:
        block = block.replace(b"from", b"From")
    return b"MAIL %d\n%s" % (len(block), block), b"".join(bodies)


def conversation(seed):
    draw, said, body = random.Random(seed), [], b""
    for at in range(draw.randint(1, 7)):
        mail, following = offer(draw, f"{seed}-{at}")
        data = b"DATA %d\n" % len(body) + draw.choice([*[body] * 9, body[::-1]])
        said.append(draw.choice([
            *[mail] * 8, *[data] * 6, *[b"CANCEL\n"] * 3, b"DONE\n", b"DATA 3\nabc", b"MAIL 0\n",
            b"MAIL 300000\n" + b"y" * 300000, b"MAIL\n", b"DATA x\n", b"DATA 2000000\n", b"NOOP\n",
            b"\xff\n"]))
        if said[-1] == mail:
            body = following
            said.append(draw.choice([b"", b"CANCEL\n", *[b"DATA %d\n%s" % (len(body), body)] * 3]))
    return b"".join(said) + draw.choice([b"DONE\n", b""]) + FILLER


def words(output):
    """The lines behind the greeting, without text for people."""
    for line in output.decode().split("\n")[1:-1]:
        few = line.split(" ", 2)[:2]
        yield " ".join(few if few[0] in ("OK", "REJECT", "DEFER", "NORECIPIENT") else few[:1])


def peer_says(said):
    server = imdp.Server("b.example", 1048576)
    server.feed(said)
    while server.events:
        kind, *values = server.events.popleft()
        if kind == "offered":
            judge(server, values[0])
        elif kind == "body-end":
            server.result("OK", server.offer.recipients[0])
            server.conclude("OK")
    return list(words(bytes(server.output))), server.closed


def judge(server, offered):
    """As the real server does whose only user is bob and whose peer proved a.example."""
    recipient = offered.recipients[0]
    if offered.originator.hostpart != "a.example":
        server.refuse("REJECT", "identity")
    elif recipient.local != "bob":
        server.line_about("NORECIPIENT", recipient)
        server.refuse("REJECT", "recipients")
    else:
        server.accept()


def server_says(server, said, context):
    """What came before the end; the server may close before it has read all that was said."""
    with tls.connect(server.address, "b.example", imdp.Client("b.example"), context) as connection:
        output = b""
        with contextlib.suppress(OSError):
            connection.stream.sendall(said)
        while octets := connection.stream.recv(65536):
            output += octets
    return list(words(output)), True


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    b.add_user("bob")
    server = b.start("server-receive", top='max-size = "1 MiB"')
    context = tls.client_context(ca.pem, "imdp", a.chain, a.key)
    for seed in range(100):
        said = conversation(seed)
        t.equal(f"conversation {seed}: {said[:-len(FILLER)][:2000]}", peer_says(said),
                server_says(server, said, context))
