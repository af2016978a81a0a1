"""A user's program that asks for much and reads nothing slows nobody, costs little memory, and is let go
in the end."""

import pathlib
import socket

from harness import Domain, Tests, authority
from imrp import Client, give

STALLED = 12
SIZE = 24 << 20


def resident(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


with Tests() as t:
    b = Domain(t, authority(t.work), "b.example")
    bob = b.add_user("bob")
    big = b.place / "big"
    big.write_bytes(bytes(SIZE))
    give(t, b, bob, "Big", attach=[big])
    server = b.start("server-post-office", sections='[limits]\nline-time = "10s"\n')

    reader = Client(t, server.address, b.ca, "bob")
    ident = reader.ids("inbox")[0]
    stalled = [Client(t, server.address, b.ca, "bob") for _ in range(STALLED)]
    before = resident(server.process)  # with what their proofs have cost
    for each in stalled:
        each.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        each.lines.write(f"FETCH inbox {ident} 2\n".encode() * 4)
        each.lines.flush()
    for _ in range(20):
        reader.ask("STATUS inbox")
    give(t, b, bob, "Small")
    t.equal("a message that comes meanwhile is seen", len(reader.ids("inbox")), 2)
    grown = resident(server.process) - before
    t.true("what they asked for is not kept for them", grown < (STALLED * 2) << 20, f"{grown} octets")
    for n in range(1, STALLED + 1):
        t.true(f"{n} are let go", server.wait_for("(?s)" + ".*".join(["client-stalled"] * n), 60))
    reader.ask("STATUS inbox")
    for each in stalled:
        each.socket.close()
    t.equal("an orderly end", server.stop(), 0)
