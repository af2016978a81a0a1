"""strangers.py PROGRAMS: what a stranger gets from a server: the mail of one hostpart a connection, no
session to resume, and no word about our disks."""

import shutil

from harness import Domain, Tests, authority, stored
from imdp import Peer, header

HELLO = b"hello\n"

with Tests() as t:
    ca = authority(t.work)
    a, b, c = (Domain(t, ca, name) for name in ("a.example", "b.example", "c.example"))
    bob = b.add_user("bob")
    broken = {name: b.add_user(name) for name in ("missing", "tmp", "new")}
    b.routes += [
        f'"carol@c.example" = {{ mailbox = "{b.add_user("carol")}" }}',
        '"command@b.example" = { command = ["%s", "{address}"] }' % (b.place / "no-such-command"),
        '"give@b.example" = { command = ["%s", "%s", "-", "{address}"] }' % (
            t.program("server-give-recipient"), b.place / "nowhere"),
    ]
    second = f'[[tls.certificate]]\nchain = "{c.chain}"\nkey = "{c.key}"\n'
    b.receive_settings = lambda top, sections, tls: (
        f'listen = ["127.0.0.1:0"]\nhostparts = ["b.example", "c.example"]\n{top}\n[routes]\n'
        + "\n".join(b.routes) + f"\n{sections}\n{b.tls(tls)}{second}")

    # Mailboxes that break in ways of their own.
    shutil.rmtree(broken["missing"])
    for name in ("tmp", "new"):
        shutil.rmtree(broken[name] / name)
        (broken[name] / name).write_text("a file where a directory should be\n")

    def talks(server):
        """What is said about a message to each recipient."""
        lines = []
        for who in ("command", "give", *broken):
            peer = Peer(server.address, "b.example", a.chain, a.key, ca.pem)
            said = peer.deliver(header("alice@a.example", f"{who}@b.example"), HELLO)
            t.true(f"{who} does not get it", said[-1] not in (None, "OK"), said)
            lines += [line for line in said if line]
            peer.close()
        return lines

    server = b.start("server-receive")
    for line in talks(server):
        t.true("no path is told", str(t.work) not in line and "/" not in line.replace("b.example", ""), line)

    # A connection is for the hostpart that was asked for.
    peer = Peer(server.address, "b.example", a.chain, a.key, ca.pem)
    t.contains("it says which", peer.greeting, "IMDP 1 b.example ")
    t.equal("another hostpart's message",
            peer.offer(header("alice@a.example", "carol@c.example"))[-1].split(" ", 2)[:2],
            ["REJECT", "recipients"])
    t.equal("a message for both", peer.deliver(
        header("alice@a.example", "bob@b.example", "carol@c.example"), HELLO),
        ["ACCEPT", "OK bob@b.example", "OK"])
    t.equal("reaches the one it is for", (len(stored(bob)), len(stored(b.place / "carol"))), (1, 0))

    # No ticket came with all that, and what there is of a session is not taken up.
    t.equal("no ticket", peer.socket.session.has_ticket, False)
    again = Peer(server.address, "b.example", a.chain, a.key, ca.pem, session_of=peer)
    t.equal("no resumption", again.socket.session_reused, False)
    again.close()
    peer.close()
    t.equal("an orderly end", server.stop(), 0)
