"""A copy that follows CHANGES, in pages as small as can be, is what the mailbox is after whatever
another client did to it; and the journal that the post office wrote says the same."""

import random

import mailbox
import message
import tls
from asker import Asker
from support import Domain, Tests, authority

FOLDERS = ("inbox", "trash")


class Copy:
    """What a client knows of a folder: its token, and the flags of each message."""

    def __init__(self, ask, folder):
        self.ask, self.folder = ask, folder
        self.token, self.messages = "0", {}

    def follow(self, page):
        more = True
        while more:
            *lines, (end, self.token, more) = self.ask.changes(self.folder, self.token, page)
            assert end == "token" and len(lines) <= page, (end, lines)
            for kind, which, *rest in lines:
                if kind == "absent":
                    self.messages.pop(which, None)
                else:
                    self.messages[which] = sorted(rest[2])


class Changer:
    """Another client, which does things at random and knows what must come of them."""

    def __init__(self, ask, store, draw):
        self.ask, self.store, self.draw = ask, store, draw
        self.folders = {folder: {} for folder in FOLDERS}
        self.delivered = 0

    def change(self):
        folder = self.draw.choice(FOLDERS)
        ids = list(self.folders[folder])
        self.draw.choice([self.deliver, self.deliver, self.flag, self.flag, self.copy, self.move,
                          self.delete])(folder, self.draw.sample(ids, min(len(ids), 2)))

    def deliver(self, *_):
        self.delivered += 1
        header, bodies = message.split(message.compose(
            [("id", f"{self.delivered}"), ("from", "a@a.example"), ("to", "bob@b.example")]))
        self.store.deliver(header, bodies, header.recipients[0], flags="new")
        self.folders["inbox"][header.digest] = ["new"]

    def flag(self, folder, ids):
        if ids:
            self.ask.flag(folder, ids, ["-new", "+seen"])
            for which in ids:
                self.folders[folder][which] = ["seen"]

    def copy(self, folder, ids):
        for _, which, made in self.ask.copy(folder, "trash", *ids)[:-1] if ids else ():
            self.folders["trash"][made] = self.folders[folder][which]

    def move(self, folder, ids):
        target = FOLDERS[folder == "inbox"]
        if ids:
            self.ask.move(folder, target, *ids)
            for which in ids:
                self.folders[target][which] = self.folders[folder].pop(which)

    def delete(self, folder, ids):
        if ids:
            self.ask.delete(folder, *ids)
            for which in ids:
                del self.folders[folder][which]


def in_journal(store):
    """Each folder's messages and flags, as the journal has them."""
    journal, found = store.journal(), {folder: {} for folder in FOLDERS}
    for which, entry in journal.messages.items():
        found[journal.folders[entry.folder][1]][which] = entry.flags
    return found


with Tests() as t:
    draw = random.Random(1)
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    store = mailbox.create(b.place / "bob", [("inbox", "inbox"), ("trash", "trash")])
    b.write("password", "correct horse\n").chmod(0o600)
    b.admin("user", "add", "bob", "--users", b.place / "users.toml", "--mailbox", "bob",
            "--password-file", b.place / "password")
    server = b.start("server-post-office")
    context = tls.client_context(ca.pem, "imrp")
    one, other = Asker(server, context), Asker(server, context)
    for ask in (one, other):
        t.equal("proved", ask.auth("bob", b"correct horse"), [("ok",)])
    changer = Changer(one, store, draw)
    copies = [Copy(other, folder) for folder in FOLDERS]
    for step in range(60):
        for _ in range(draw.randint(0, 4)):
            one.status("inbox")  # since when what was delivered is there for other requests
            changer.change()
        for copy in copies:
            copy.follow(draw.choice([1, 2, 3, 100]))
        t.equal(f"step {step}", {c.folder: c.messages for c in copies}, changer.folders)
    t.equal("the journal", in_journal(store), changer.folders)
    t.equal("every message is whole", [store.read(which)[1].digest for folder in FOLDERS
                                       for which in changer.folders[folder]],
            [which[:64] for folder in FOLDERS for which in changer.folders[folder]])
