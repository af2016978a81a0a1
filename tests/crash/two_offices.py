"""Two post offices, each with its own index as on a host of its own, serve one mailbox while many
deliverers fill it. Clients that ask now the one and now the other flag, move and delete: nothing is
lost or done twice, both show the same, and the state token of one is good at the other."""

import collections
import itertools
import random
import threading

from harness import FULL, Domain, Server, Tests, authority
from imrp import Client
from messages import Letter, check_mailbox, deliver

DELIVERERS = 16 if FULL else 4
EACH = 100 if FULL else 12
CLIENTS = 4
FOLDERS = ("inbox", "kept")


def may_be_deleted(ident):
    return ident[0] in "0123"


class Ledger:
    """What was acknowledged. Whatever the order of the moves was, they lead to the one folder that a
    message came to once more often than it left."""

    def __init__(self):
        self.mutex = threading.Lock()
        self.delivered = set()
        self.arrivals = collections.defaultdict(collections.Counter)
        self.moves = collections.Counter()

    def deliver(self, ident):
        with self.mutex:
            if ident not in self.delivered:
                self.arrivals[ident]["inbox"] += 1
            self.delivered.add(ident)

    def move(self, ident, source, target):
        with self.mutex:
            self.arrivals[ident][source] -= 1
            self.arrivals[ident][target] += 1
            self.moves[target] += 1

    def places(self):
        """Where each message must be."""
        return {ident: {folder: count for folder, count in where.items() if count and folder != "gone"}
                for ident, where in self.arrivals.items()}


class Worker(threading.Thread):
    """A client at both offices. It follows the folders by CHANGES, each page asked of the other office
    than the one before, and has a flag that nobody else changes."""

    def __init__(self, t, number, offices, ca, ledger, over):
        super().__init__()
        self.t, self.ledger, self.over = t, ledger, over
        self.flag = f"own{number}"
        self.chance = random.Random(number)
        self.turns = itertools.cycle([Client(t, o.address, ca, "bob") for o in offices])
        self.tokens = dict.fromkeys(FOLDERS, "0")
        self.known = {}
        self.flagged = {}
        self.error = None

    def run(self):
        rounds = 0
        # Chance may take a while to delete something and to move something each way.
        while rounds < 10 or (len(self.ledger.moves) < 3 and rounds < 1000):
            self.follow(7)
            self.act()
            rounds += self.over.is_set()

    def follow(self, page):
        for folder in FOLDERS:
            more = True
            while more:
                client = next(self.turns)
                for line in client.ask(f"CHANGES {folder} {self.tokens[folder]} {page}"):
                    self.learn(folder, *line.split(" "))
                self.tokens[folder], *more = client.end.split(" ")

    def learn(self, folder, sign, ident, *rest):
        if sign == "+":
            self.known[ident] = (folder, rest[2])
        elif self.known.get(ident, ("",))[0] == folder:
            del self.known[ident]

    def act(self):
        folder = self.chance.choice(FOLDERS)
        here = [ident for ident, (where, _) in sorted(self.known.items()) if where == folder]
        ids = self.chance.sample(here, min(3, len(here)))
        deed = self.chance.choice([self.set_flag, self.set_flag, self.move, self.delete])
        if ids:
            deed(folder, ids)

    def ask(self, command, ids, rest=""):
        """Those for which it was done."""
        reply = next(self.turns).ask(f"{command} {' '.join(ids)}{rest}")
        return [ident for ident in ids if f"GONE {ident}" not in reply]

    def set_flag(self, folder, ids):
        sign = self.chance.choice("+-")
        for ident in self.ask(f"FLAG {folder}", ids, f" {sign}{self.flag}"):
            self.flagged[ident] = sign == "+"

    def move(self, folder, ids):
        target = FOLDERS[1 - FOLDERS.index(folder)]
        for ident in self.ask(f"MOVE {folder} {target}", ids):
            self.ledger.move(ident, folder, target)

    def delete(self, folder, ids):
        ids = [ident for ident in ids if may_be_deleted(ident)]
        if ids:
            for ident in self.ask(f"DELETE {folder}", ids):
                self.ledger.move(ident, folder, "gone")


def deliverer(t, box, ledger, number):
    for i in range(EACH):
        # Half of them deliver what their neighbour does, too.
        letter = Letter(f"{number // 2} {i}", b"JPEG" if i % 2 else b"")
        t.equal("delivered", deliver(t, box, letter), 0)
        ledger.deliver(letter.id)


def shown(client):
    """Each folder's token, and each message with its folder, seq and flags."""
    found, tokens = {}, {}
    for folder in FOLDERS:
        for line in client.ask(f"CHANGES {folder} 0 10000"):
            sign, ident, seq, _, flags, _ = line.split(" ")
            if sign == "+":
                found[ident] = (folder, seq, flags)
        tokens[folder] = client.end
    return tokens, found


def main(t):
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    box = b.add_user("bob")
    offices = []
    for name in ("one", "two"):
        settings = b.office_settings(f'index-path = "index-{name}"')
        offices.append(Server(t, "server-post-office", b.write(f"{name}.toml", settings)))
    Client(t, offices[0].address, ca, "bob").ask("CREATE-FOLDER kept")

    ledger, over = Ledger(), threading.Event()
    workers = [Worker(t, n, offices, ca, ledger, over) for n in range(CLIENTS)]
    deliverers = [threading.Thread(target=deliverer, args=(t, box, ledger, n))
                  for n in range(DELIVERERS)]
    for thread in (*workers, *deliverers):
        thread.start()
    for thread in deliverers:
        thread.join()
    over.set()
    for thread in workers:
        thread.join()

    first, second = (shown(Client(t, o.address, ca, "bob")) for o in offices)
    t.equal("both show the same, with the same tokens", first, second)
    tokens, found = first
    t.equal("each message is where it was moved, or deleted",
            {ident: {found[ident][0]: 1} if ident in found else {} for ident in ledger.delivered},
            ledger.places())
    for worker in workers:
        worker.follow(1000)
        t.equal(f"{worker.flag} follows by tokens of either", worker.known,
                {ident: (folder, flags) for ident, (folder, _, flags) in found.items()})
        t.equal(f"{worker.flag} is as it was set last",
                {ident for ident in found if worker.flag in found[ident][2].split(",")},
                {ident for ident, flagged in worker.flagged.items() if flagged and ident in found})
    t.equal("some were deleted, some moved", set(ledger.moves), {"gone", *FOLDERS})
    check_mailbox(t, "the mailbox", box, found)
    t.equal("both have an index of their own",
            [len([p for p in (b.place / f"index-{n}").rglob("*") if len(p.name) == 64])
             for n in ("one", "two")], [1, 1])


with Tests() as tests:
    main(tests)
