"""The peer sends to server-receive, and server-send-mail sends to the peer, over real TLS."""

import threading

import imdp
import message
import tls
from support import Domain, Tests, authority, stored


def offer(connection, whole, ahead=False):
    """Offers a message and sends its body when it is wanted, or AHEAD of the answer.

    The events from the offer to the end of its answers."""
    block, bodies = message.split(whole)
    client, events = connection.session, []
    client.offer(block.octets())
    if ahead:
        client.data()
        client.body(b"".join(bodies))
    while not events or events[-1][0] != "results":
        events.append(connection.event())
        if events[-1][0] == "accepted" and not ahead:
            client.data()
            client.body(b"".join(bodies))
        if events[-1][0] == "closed":
            break
    return events


def results(events):
    return [(str(a), word) for a, word in events[-1][1]] if events[-1][0] == "results" else events


def letter(*to, text=b"hello\n", sender="Alice <alice@a.example>", more=(), parts=None):
    return message.compose([("from", sender), *[("to", r) for r in to], *more],
                           parts if parts is not None else [(text, "text/plain", {})])


def sends(t, a, b):
    """The peer in the role of the sender."""
    bob = b.add_user("bob")
    b.routes.append('"no@b.example" = { command = ["/bin/false"] }')
    server = b.start("server-receive", top='max-size = "1 MiB"')
    context = tls.client_context(a.ca.pem, "imdp", a.chain, a.key)

    def connected():
        connection = tls.connect(server.address, "b.example", imdp.Client("b.example"), context)
        t.equal("the greeting", connection.event(), ("greeting", 1048576, []))
        return connection

    photo = bytes(range(256)) * 1000
    one = letter("bob@b.example", more=[("bcc", "eve@c.example"), ("subject", "Photos")],
                 parts=[(b"see below\n", "text/plain", {"role": "text"}),
                        (photo, "image/jpeg", {"role": "attachment", "name": "a photo.jpg"})])
    with connected() as connection:
        t.equal("delivered", results(offer(connection, one)), [("bob@b.example", "OK")])
        digest = message.split(one)[0].digest
        t.equal("the id is the digest", stored(bob), [digest])
        t.equal("the part", (bob / "new" / digest / "2-a photo.jpg").read_bytes(), photo)
        kept = (bob / "new" / digest / "message.ima").read_bytes()
        t.true("another host's bcc: is not shown", b"bcc:" not in kept, kept)

        again = offer(connection, one)
        t.equal("delivered again, by its header", [e[0] for e in again],
                ["result", "complete", "results"])
        ahead = offer(connection, one, ahead=True)
        t.equal("with a body that nobody wanted", results(ahead), [("bob@b.example", "OK")])

        nobody = offer(connection, letter("bob@b.example", "nobody@b.example"))
        t.equal("an unknown recipient", results(nobody),
                [("bob@b.example", "FAIL"), ("nobody@b.example", "NORECIPIENT")])
        mixed = offer(connection, letter("no@b.example", "bob@b.example"))
        t.equal("one of two fails", results(mixed),
                [("no@b.example", "FAIL"), ("bob@b.example", "OK")])
        forged = offer(connection, letter("bob@b.example", sender="x@evil.example"))
        t.equal("another domain's sender", forged[0][:3], ("declined", "REJECT", "identity"))
        large = offer(connection, letter("bob@b.example", text=b"x" * 1048577))
        t.equal("too large", large[0][:3], ("declined", "REJECT", "size"))
        elsewhere = offer(connection, letter("carol@c.example"))
        t.equal("nobody here", elsewhere[0][:3], ("declined", "REJECT", "recipients"))
        connection.session.done()
        t.equal("an orderly end", connection.event(), ("closed",))

    with connected() as connection:
        connection.session.offer(message.split(letter("bob@b.example", text=b"withdrawn\n"))[0]
                                 .octets())
        t.equal("accepted", connection.event(), ("accepted",))
        connection.session.cancel()
        empty = offer(connection, letter("bob@b.example", parts=[]), ahead=True)
        t.equal("behind a CANCEL", results(empty), [("bob@b.example", "OK")])
        connection.session.done()
        t.equal("the end", connection.event(), ("closed",))
    t.equal("three messages", len(stored(bob)), 3)
    t.equal("the server ends", server.stop(), 0)


class Peer(threading.Thread):
    """The peer in the role of the receiver, for one connection. CHOOSE answers an offer."""

    def __init__(self, domain, choose, certificate=None):
        super().__init__(daemon=True)
        self.domain, self.choose = domain, choose
        chain, key = certificate or (domain.chain, domain.key)
        self.receiver = tls.Receiver(chain, key, domain.ca.pem)
        self.address = f"127.0.0.1:{self.receiver.port}"
        self.bodies, self.identities = [], []
        self.start()

    def run(self):
        server = imdp.Server(self.domain.name)
        with tls.Connection(self.receiver, server) as connection:
            while (event := connection.event())[0] != "closed":
                self.handle(server, *event)
                connection.flush()

    def handle(self, server, kind, *values):
        if kind == "offered":
            self.identify(server, values[0].originator.hostpart)
        elif kind == "octets":
            self.bodies[-1] += values[1]
        elif kind == "body-end":
            self.choose(server, server.offer, whole=True)

    def identify(self, server, claimed):
        proved = tls.proves(self.receiver.peer_certificate(), claimed)
        self.identities.append((claimed, proved))
        if proved:
            self.bodies.append(b"")
            self.choose(server, server.offer, whole=False)
        else:
            server.refuse("REJECT", "identity", f"not proved: {claimed}")


def receives(t, a, b):
    """The peer in the role of the receiver."""
    def delivered(server, offer, whole):
        server.conclude("OK") if whole else server.accept()

    def mixed(server, offer, whole):
        if not whole:
            server.accept()
            return
        bob, carol = offer.recipients_at("b.example")
        server.note("a remark")
        server.result("OK", bob)
        server.result("FAIL", carol, "the mailbox is full")
        server.result("OK", carol, "forged by a handler")
        server.conclude("PARTIAL")

    def declined(server, offer, whole):
        server.line_about("NORECIPIENT", offer.recipients[0])
        server.refuse("REJECT", "recipients")

    def deferred(server, offer, whole):
        server.refuse("DEFER", "busy", "come back later")

    photo = a.place / "photo.jpg"
    photo.write_bytes(bytes(range(256)) * 2000)

    def sent(choose, *to):
        peer = Peer(b, choose)
        one = a.message(*[w for r in to for w in ("--to", r)], "--attach", photo)
        outcome = a.send(one, hosts={"b.example": peer.address})
        peer.join(20)
        t.equal("what the sender proves", peer.identities, [("a.example", True)])
        return one, peer, outcome

    one, peer, outcome = sent(delivered, "bob@b.example")
    t.equal("server-send-mail", (outcome.code, outcome.out), (0, "OK bob@b.example\n"))
    t.true("the body", peer.bodies == [b"".join(message.split(one)[1])])

    _, _, outcome = sent(mixed, "bob@b.example", "carol@b.example")
    t.equal("mixed", outcome.code, 2)
    t.contains("the one", outcome.out, "OK bob@b.example")
    t.contains("the other", outcome.out, "FAIL carol@b.example")

    _, peer, outcome = sent(declined, "bob@b.example")
    t.equal("refused", (outcome.code, peer.bodies), (1, [b""]))
    t.contains("refused, by name", outcome.out, "NORECIPIENT bob@b.example")

    _, _, outcome = sent(deferred, "bob@b.example")
    t.equal("deferred", outcome.code, 75)
    t.contains("deferred, for a reason", outcome.out, "busy")


def is_mistrusted(t, a, b):
    """The peer in the role of a server that does not prove where it is said to be."""
    for names, usage, rule in ((["c.example"], "serverAuth", "identity"),
                               (["*.example"], "serverAuth", "identity"),
                               (["b.example"], "clientAuth", "certificate-purpose")):
        peer = Peer(b, None, b.ca.certificate(b.place / "wrong", names, usage=usage))
        outcome = a.send(a.message("--to", "bob@b.example"), hosts={"b.example": peer.address})
        peer.join(20)
        t.equal(f"{names} {usage}: for now", (outcome.code, peer.identities), (75, []))
        t.contains(f"{names} {usage}: why", outcome.out, f"[{rule}]")


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    sends(t, a, b)
    receives(t, a, b)
    is_mistrusted(t, a, b)
