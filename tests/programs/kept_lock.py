"""A mailbox whose lock somebody keeps: its user is told to come again, all others are served."""

import fcntl

from harness import Domain, Tests, authority
from imrp import Client

CONNECTIONS = 8  # more than there are threads that work on mailboxes


def begin(client, request):
    client.lines.write(f"{request}\n".encode())
    client.lines.flush()


with Tests() as t:
    b = Domain(t, authority(t.work), "b.example")
    bob = b.add_user("bob")
    b.add_user("carol")
    server = b.start("server-post-office")
    carol = Client(t, server.address, b.ca, "carol")
    waiting = [Client(t, server.address, b.ca, "bob") for _ in range(CONNECTIONS)]

    with (bob / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for each in waiting:
            begin(each, "CREATE-FOLDER kept")
        carol.ask("STATUS inbox")
        Client(t, server.address, b.ca, "carol").ask("CREATE-FOLDER own")
        t.equal("whoever wants the mailbox is told to come again",
                {each.lines.readline().decode().partition(" another")[0] for each in waiting},
                {"DEFER busy"})
        begin(waiting[0], "STATUS inbox")
        t.contains("what needs no lock is answered", waiting[0].lines.readline().decode(), "OK")
    waiting[0].ask("CREATE-FOLDER kept")
    t.equal("and afterwards all is as ever", waiting[1].folders(), ["- kept", "inbox inbox"])
    t.equal("an orderly end", server.stop(), 0)
