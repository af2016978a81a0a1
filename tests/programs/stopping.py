"""A post office that is told to stop lets go at once of every client that has no request in hand, waits
for the others until its stop-time is over, and then ends, however slow they are."""

import signal
import socket

from harness import Domain, Tests, authority
from imrp import Client, end_of, give, offer_of

TEXT = b"mine\n" * 100
HALF = len(TEXT) // 2


def begun_body(t, client, subject):
    """An APPEND that was accepted and came by half."""
    client.say(offer_of("inbox", subject, "-", TEXT))
    t.equal(f"{subject} is accepted", client.lines.readline(), b"ACCEPT\n")
    client.say(b"DATA %d\n" % len(TEXT) + TEXT[:HALF])
    return client


def saying(client, octets):
    client.say(octets)
    return client


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    big = b.place / "big"
    big.write_bytes(bytes(24 << 20))
    give(t, b, bob, "Big", attach=[big])
    server = b.start("server-post-office", sections='[limits]\nstop-time = "8s"\n')

    def client(user="bob"):
        return Client(t, server.address, ca, user)

    reader = client()
    ident = reader.ids("inbox")[0]
    watching = client()
    watching.ask("WATCH inbox 0")
    t.contains("a watch is on", watching.lines.readline().decode(), "EVENT inbox ")
    name, _, port = server.address.rpartition(":")
    silent = socket.create_connection((name, int(port)), 30)
    quiet = {
        "a stranger who says nothing": client(None),
        "half a line of a stranger": saying(client(None), b"AUTH bob"),
        "a user who asks for nothing": client(),
        "half a line of a user": saying(client(), b"STATUS inb"),
        "one who watches": watching,
    }
    deferred = {
        "half a proof": saying(client(None), b"AUTH bob PASSWORD 13\ncorrect"),
        "half a header block": saying(client(), b"APPEND inbox - - 100\nima: 1\n"),
    }
    stalled = begun_body(t, client(), "Stalled")
    finished = begun_body(t, client(), "Finished")
    reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    reader.say(f"FETCH inbox {ident} 2\n".encode())
    t.contains("a part is on its way", reader.lines.readline().decode(), f"PART {ident} 2 0 ")
    proofs = [saying(client(None), b"AUTH bob PASSWORD 13\ncorrect horse") for _ in range(6)]

    server.signal(signal.SIGTERM)
    for what, each in quiet.items():
        t.equal(what, end_of(each), "")
    for what, each in deferred.items():
        t.contains(what, each.lines.readline().decode(), "DEFER shutdown ")
        t.equal(f"{what} has an orderly end", end_of(each), "")
    t.equal("one without TLS yet", silent.recv(1), b"")
    for each in proofs:
        answer = each.lines.readline().decode()
        t.true("a proof that the server has read is answered",
               answer in ("OK\n", "") or answer.startswith("DEFER shutdown "), answer)
        t.equal("a proof has an orderly end", end_of(each), "")
    finished.say(TEXT[HALF:])
    t.contains("a body that comes in time", finished.lines.readline().decode(), "OK ")
    t.equal("and the end", end_of(finished), "")
    t.equal("the server ends", server.process.wait(30), 0)

    after = Client(t, b.start("server-post-office").address, ca, "bob")
    t.equal("what was acknowledged is there, and nothing else",
            sorted(after.subject("inbox", each) for each in after.ids("inbox")), ["Big", "Finished"])
