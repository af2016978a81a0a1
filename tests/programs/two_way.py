"""What the user moves and deletes in his copy goes to the post office with --two-way, and without it
does not; where both sides moved a message the post office's word counts."""

import socket
import ssl

from harness import Domain, Server, Tests, authority, run, stored

with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")
    copy = b.place / "copy"

    class Client:
        """A program that works on a mailbox by the post office at `address`."""

        def __init__(self, address, user):
            context = ssl.create_default_context(cafile=ca.pem)
            context.set_alpn_protocols(["imrp"])
            host, _, port = address.rpartition(":")
            self.socket = context.wrap_socket(socket.create_connection((host, int(port)), 30),
                                              server_hostname="b.example")
            self.lines = self.socket.makefile("rwb")
            t.true("greeted", self.lines.readline().startswith(b"IMRP 1 b.example"))
            self.ask(f"AUTH {user} PASSWORD 13\ncorrect horse", end="")

        def ask(self, request, end="\n"):
            """The lines of the reply, without the last, which is OK."""
            self.lines.write((request + end).encode())
            self.lines.flush()
            reply = []
            while True:
                line = self.lines.readline().decode().rstrip("\n")
                if line.partition(" ")[0] in ("OK", "FAIL", "DEFER", ""):
                    t.equal(request.partition(" ")[0], line.partition(" ")[0], "OK")
                    return reply
                reply.append(line)

        def ids(self, folder):
            return sorted(line.split()[1] for line in self.ask(f"CHANGES {folder} 0 100"))

    def give(subject):
        message = b.message("--to", "bob@b.example", "--subject", subject)
        given = run(t.program("server-give-recipient"), bob, "-", "bob@b.example", stdin=message)
        t.equal(f"give {subject}", given.code, 0)

    def fetch(*words):
        done = b.fetch("bob", copy, *words)
        t.equal("fetched", (done.code, done.err), (0, ""))

    for subject in ("moved", "deleted", "both", "stays"):
        give(subject)
    there = Client(office.address, "bob")
    there.ask("CREATE-FOLDER kept")
    there.ask("CREATE-FOLDER other")
    fetch("--two-way")  # takes note of the state
    t.equal("all is here", len(stored(copy)), 4)

    # Something that works on the copy: a post office of its own, on the user's machine.
    users = b.place / "home-users.toml"
    b.admin("user", "add", "home", "--users", users, "--mailbox", "copy", "--password-file",
            b.place / "bob.password")
    home_office = Server(t, "server-post-office", b.write(
        "home.toml", b.office_settings().replace("users.toml", "home-users.toml")))
    here = Client(home_office.address, "home")
    moved, deleted, both, stays = sorted(here.ids("inbox"))
    here.ask(f"MOVE inbox kept {moved}")
    here.ask(f"DELETE inbox {deleted}")
    here.ask(f"MOVE inbox kept {both}")
    there.ask(f"MOVE inbox other {both}")
    fetch()
    t.equal("without --two-way nothing goes back", there.ids("inbox"), sorted([moved, deleted, stays]))
    fetch("--two-way")
    t.equal("one left the inbox, one the mailbox", there.ids("inbox"), [stays])
    t.equal("the first was moved", there.ids("kept"), [moved])
    t.equal("moved on both sides: as at the post office", there.ids("other"), [both])
    t.equal("the same is here", [here.ids(f) for f in ("inbox", "kept", "other")],
            [[stays], [moved], [both]])
    fetch("--two-way")
    t.equal("and stays so", [there.ids(f) for f in ("inbox", "kept", "other")],
            [[stays], [moved], [both]])
    t.equal("what was deleted here is gone there", len(stored(bob)), 3)
    for server in (office, home_office):
        t.equal("an orderly end", server.stop(), 0)
