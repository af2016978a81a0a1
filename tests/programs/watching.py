"""A client that watches several folders is told of each change by an EVENT, without asking."""

from harness import Domain, Tests, authority
from imrp import Client, end_of, give

FOLDERS = ("inbox", "kept", "Sent%20items")


def token_of(client, folder):
    client.ask(f"STATUS {folder}")
    return client.end.partition("token=")[2].split(" ")[0]


def watch(watcher, tokens):
    watcher.ask("WATCH " + " ".join(f"{folder} {token}" for folder, token in tokens.items()))


def events(watcher, count):
    """What comes by itself; the connection's time-out of 30 seconds is the test's patience."""
    found = {}
    for _ in range(count):
        word, folder, token = watcher.lines.readline().decode().split()
        found[folder] = (word, token)
    return found


def each_by_itself(t, b, bob, watcher, other):
    give(t, b, bob, "delivered")
    found = events(watcher, 1)
    t.equal("a delivery is told", list(found), ["inbox"])
    ident = other.ids("inbox")[0]
    t.equal("with the state that it led to", found["inbox"], ("EVENT", token_of(other, "inbox")))
    other.append("kept", "appended")
    t.equal("an append by another client", list(events(watcher, 1)), ["kept"])
    other.ask(f"COPY inbox Sent%20items {ident}")
    t.equal("a copy", list(events(watcher, 1)), ["Sent%20items"])
    other.ask(f"FLAG inbox {ident} +seen")
    t.equal("a flag", list(events(watcher, 1)), ["inbox"])
    other.ask(f"MOVE inbox kept {ident}")
    t.equal("a move, in both folders", sorted(events(watcher, 2)), ["inbox", "kept"])
    other.ask(f"DELETE kept {ident}")
    t.equal("a deletion", list(events(watcher, 1)), ["kept"])


def all_at_once(t, watcher, other):
    requests = [f"FLAG {folder} {other.ids(folder)[0]} +own\n" for folder in FOLDERS]
    other.lines.write("".join(requests).encode())
    other.lines.flush()
    for _ in FOLDERS:
        t.equal("a flag in each", other.lines.readline(), b"OK\n")
    t.equal("is told of each", sorted(events(watcher, len(FOLDERS))), sorted(FOLDERS))


def what_was_missed(t, watcher, tokens):
    """Of changes between the token and the WATCH."""
    watch(watcher, tokens)
    t.equal("what came before the watch is told at once", sorted(events(watcher, len(FOLDERS))),
            sorted(FOLDERS))


def from_the_beginning(t, watcher, other):
    """Who has the first token hears of an empty folder, and of what becomes of it."""
    for name, request in (("deleted", "DELETE-FOLDER empty"), ("renamed", "RENAME-FOLDER empty full")):
        other.ask("CREATE-FOLDER empty")
        watch(watcher, {"empty": "0"})
        t.equal("an empty folder is told", events(watcher, 1),
                {"empty": ("EVENT", token_of(other, "empty"))})
        other.ask(request)
        t.equal(f"one that is {name}", events(watcher, 1), {"empty": ("EVENT", "0")})
    other.ask("CREATE-FOLDER empty")
    t.equal("one that is made again", events(watcher, 1),
            {"empty": ("EVENT", token_of(other, "empty"))})
    for folder in ("empty", "full"):
        other.ask(f"DELETE-FOLDER {folder}")
    watcher.ask("WATCH")


def between_replies(t, watcher, other):
    """Nothing stands inside a reply, however many requests are on the way while folders change."""
    ident = other.ids("kept")[0]
    requests = 200
    watcher.lines.write(b"FOLDERS\n" * requests)
    watcher.lines.flush()
    for sign in "+-" * 10:
        other.ask(f"FLAG kept {ident} {sign}seen")
    for _ in range(requests):
        line = watcher.lines.readline().decode()
        while line.startswith("EVENT kept "):
            line = watcher.lines.readline().decode()
        reply = []
        while line.startswith("FOLDER "):
            reply.append(line)
            line = watcher.lines.readline().decode()
        t.equal("a whole reply", (len(reply), line), (len(FOLDERS), "OK\n"))


def ends(t, ca, domain, office, busy):
    """Who is let go sees the end of TLS, not a connection that broke."""
    domain.add_user("eve")
    gone = Client(t, office.address, ca, "eve")
    gone.ask(f"WATCH inbox {token_of(gone, 'inbox')}")
    domain.admin("user", "remove", "eve", "--users", domain.place / "users.toml")
    t.equal("a user who is removed", end_of(gone), "")
    t.equal("a server that stops", office.stop(), 0)
    t.equal("is no broken connection", end_of(busy), "")


with Tests() as tests:
    ca = authority(tests.work)
    domain = Domain(tests, ca, "b.example")
    mailbox = domain.add_user("bob")
    office = domain.start("server-post-office")
    watching, busy = (Client(tests, office.address, ca, "bob") for _ in range(2))
    for name in FOLDERS[1:]:
        busy.ask(f"CREATE-FOLDER {name}")
    before = {name: token_of(busy, name) for name in FOLDERS}
    watch(watching, before)
    each_by_itself(tests, domain, mailbox, watching, busy)
    give(tests, domain, mailbox, "one more")
    events(watching, 1)
    all_at_once(tests, watching, busy)
    from_the_beginning(tests, watching, busy)
    what_was_missed(tests, watching, before)
    between_replies(tests, watching, busy)
    ends(tests, ca, domain, office, busy)
