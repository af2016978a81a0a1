"""The peer asks server-post-office, and fetch-mail asks the peer, over real TLS."""

import hashlib
import re
import socket
import threading

import imrp
import mailbox
import message
import office
import tls
from asker import Asker
from support import Domain, Tests, authority, openssl

PHOTO = bytes(range(256)) * 500


def letter(subject):
    return message.compose(
        [("from", "Alice <alice@a.example>"), ("to", "bob@b.example"), ("subject", subject)],
        [(b"see below\n", "text/plain", {"role": "text"}),
         (PHOTO, "image/jpeg", {"role": "attachment", "name": "a photo.jpg"}),
         (b"", "application/octet-stream", {})])


def asks(t, b):
    """The peer in the role of a user's program."""
    bob = b.add_user("bob", "correct horse")
    store = mailbox.Mailbox(bob)
    header, bodies = message.split(letter("One"))
    t.true("delivered on disk", store.deliver(header, bodies, header.recipients[0],
                                              verified_domain="a.example"))
    t.true("not twice", not store.deliver(header, bodies, header.recipients[0]))
    server = b.start("server-post-office")
    ask = Asker(server, tls.client_context(b.ca.pem, "imrp"))
    t.equal("the protocol", ask.greeting[0], "greeting")
    t.equal("not yet", ask.folders()[0][:2], ("fail", "state"))
    t.equal("a wrong password", ask.auth("bob", b"wrong horse")[0][:2], ("fail", "auth"))
    t.equal("the right one", ask.auth("bob", b"correct horse"), [("ok",)])
    t.true("the inbox", ("folder", "inbox", "inbox") in ask.folders())

    entry, token = ask.changes("inbox", "0", 10)
    which = header.digest
    t.equal("what the peer delivered", entry[:2], ("entry", which))
    t.equal("its size", entry[3], len(header.octets()) + sum(map(len, bodies)))
    t.equal("the state", ask.status("inbox"),
            [("status", 1, 1, entry[3], ask.status("inbox")[0][4])])
    (_, _, block, record), gone, _ = ask.headers("inbox", which, "0" * 64)
    t.equal("its header block", block, header.octets())
    t.contains("its record", record.decode(), "\nverified-domain: a.example\n")
    t.equal("another", gone, ("gone", "0" * 64))
    t.equal("a part", ask.fetch("inbox", which, 2)[1], ("octets", PHOTO))
    t.equal("a range", ask.fetch("inbox", which, 2, 1000, 5)[:2],
            [("part", which, 2, 1000, 5), ("octets", PHOTO[1000:1005])])
    t.equal("up to the end", ask.fetch("inbox", which, 2, len(PHOTO) - 1, 5)[0][3:], (len(PHOTO) - 1, 1))
    t.equal("at the end", ask.fetch("inbox", which, 2, len(PHOTO), 5)[0][3:], (len(PHOTO), 0))
    t.equal("behind it", ask.fetch("inbox", which, 2, len(PHOTO) + 1, 5)[0][:2], ("fail", "range"))
    t.equal("an empty part", ask.fetch("inbox", which, 3)[0], ("part", which, 3, 0, 0))
    t.equal("no part", ask.fetch("inbox", which, 4)[0][:2], ("fail", "no-part"))
    changes(t, ask, which, token[1])
    ask.connection.session.done()
    t.equal("an orderly end", ask.connection.event(), ("closed",))
    on_disk(t, store, header, bodies)
    return store


def changes(t, ask, which, token):
    """Flags, copies and deletions, and what CHANGES says of them."""
    seq = ask.changes("inbox", "0", 10)[0][2]
    t.equal("flags", ask.flag("inbox", [which], ["+seen", "+work"]), [("ok",)])
    t.equal("not over a newer change", ask.flag("inbox", [which], ["-seen"], seq)[0],
            ("changed", which))
    entry, token = ask.changes("inbox", token, 10)
    t.equal("what changed", (entry[1], sorted(entry[4])), (which, ["seen", "work"]))
    copied = ask.copy("inbox", "inbox", which)[0]
    t.equal("a copy", copied[:2], ("copied", which))
    t.equal("the copy is new", ask.changes("inbox", token[1], 10)[0][1], copied[2])
    copy_token = ask.changes("inbox", token[1], 10)[-1][1]
    t.equal("it is deleted", ask.delete("inbox", copied[2], "0" * 64),
            [("gone", "0" * 64), ("ok",)])
    t.equal("it is absent", ask.changes("inbox", copy_token, 10)[0], ("absent", copied[2]))
    t.equal("nothing is new", len(ask.changes("inbox", ask.status("inbox")[0][4], 10)), 1)
    t.equal("an unknown token", ask.changes("inbox", "1.1.1", 10)[0][:2], ("fail", "resync"))
    t.equal("an unknown folder", ask.status("nowhere")[0][:2], ("fail", "no-folder"))


def on_disk(t, store, header, bodies):
    """What the post office left in the mailbox, as the peer reads it."""
    journal = store.journal()
    t.equal("one message", list(journal.messages), [header.digest])
    entry = journal.messages[header.digest]
    t.equal("in the inbox", journal.folders[entry.folder], ("inbox", "inbox"))
    t.equal("its flags", entry.flags, ["seen", "work"])
    t.equal("no torn tail", journal.torn, 0)
    t.equal("nothing waits", store.waiting(), [])
    record, found, octets = store.read(header.digest)
    t.equal("the message", (found, octets == bodies), (header, True))
    t.equal("the record", record["recipient"], "bob@b.example")


def uses_capabilities(t, b):
    """The peer asks for what the greeting announces beyond version 1."""
    server = b.start("server-post-office")
    ask = Asker(server, tls.client_context(b.ca.pem, "imrp"))
    t.true("what is announced", {"folders", "append", "search", "quota", "password", "watch"}
           <= set(ask.greeting[1]), ask.greeting)
    ask.auth("bob", b"correct horse")
    t.equal("a folder", ask.create_folder("kept 100%", "archive"), [("ok",)])
    t.equal("its role is taken", ask.create_folder("more", "archive")[0][:2], ("fail", "folder-role"))
    t.equal("another name", ask.rename_folder("kept 100%", "kept"), [("ok",)])

    header, bodies = message.split(letter("kept for later"))
    session = ask.connection.session
    session.append("kept", ["seen"], "2026-11-23T09:30:02Z", header.octets())
    session.body(b"".join(bodies))  # ahead of the answer
    accepted, (word, which) = ask.answer()
    t.equal("appended", (accepted, word, which[:65]), (("accepted",), "id", header.digest + "-"))
    session.append("kept", [], None, header.octets())
    t.equal("another is", ask.connection.event(), ("accepted",))
    t.equal("taken back", ask.cancel()[0][:2], ("fail", "cancelled"))
    entry = ask.changes("kept", "0", 10)[0]
    t.equal("as it was put there", (entry[1], entry[4:]), (which, (["seen"], "2026-11-23T09:30:02Z")))
    t.equal("found", ask.search("kept", None, 10, "text=for%20lat", "min-size=100"),
            [("found", which), ("ok",)])
    t.equal("not found", ask.search("kept", None, 10, "no-flag=seen"), [("ok",)])
    quota = ask.quota()[0]
    t.equal("no limits", (quota[0], quota[2], quota[4]), ("quota", None, None))
    state = ask.status("kept")[0][4]
    t.equal("watched", ask.watch({"kept": state}), [("ok",)])
    t.equal("deleted", ask.delete("kept", which), [("ok",)])
    event = ask.connection.event()
    t.equal("told", (event[:2], event[2] != state), (("event", "kept"), True))
    t.equal("no more", ask.watch({}), [("ok",)])
    t.equal("a wrong old password", ask.password(b"horse", b"battery staple")[0][:2], ("fail", "auth"))
    t.equal("another password", ask.password(b"correct horse", b"correct horse"), [("ok",)])
    t.equal("an empty folder goes", ask.delete_folder("kept"), [("ok",)])
    session.done()
    t.equal("an orderly end", ask.connection.event(), ("closed",))


def proves_by_certificate(t, b):
    """By a key that the user's entry lists, whoever signed it, or by what was issued for him."""
    stranger = authority(t.work / "stranger")
    chain, key = stranger.certificate(b.place / "bob.user", subject="/CN=bob", usage="clientAuth")
    openssl("x509", "-in", chain, "-noout", "-pubkey", "-out", b.place / "bob.public")
    openssl("pkey", "-pubin", "-in", b.place / "bob.public", "-outform", "DER", "-out",
            b.place / "bob.spki")
    pin = hashlib.sha256((b.place / "bob.spki").read_bytes()).hexdigest()
    users = b.place / "users.toml"
    users.write_text(users.read_text() + f'issued-certificate = true\nkeys = ["{pin}"]\n')
    server = b.start("server-post-office", top="trust-issued-names = true")
    ask = Asker(server, tls.client_context(b.ca.pem, "imrp", chain, key))
    t.equal("another user", ask.certificate("alice")[0][:2], ("fail", "auth"))
    t.equal("by his key", ask.certificate("bob"), [("ok",)])
    ask.connection.close()
    ask = Asker(server, tls.client_context(b.ca.pem, "imrp"))
    t.equal("without it", ask.certificate("bob")[0][:2], ("fail", "auth"))
    ask.connection.close()
    for name, granted in (("bob", "ok"), ("carol", "fail")):
        chain, key = b.ca.certificate(b.place / f"for-{name}", [name], usage="clientAuth")
        ask = Asker(server, tls.client_context(b.ca.pem, "imrp", chain, key))
        t.equal(f"by a certificate for {name}", ask.certificate("bob")[0][0], granted)
        ask.connection.close()


class Peer(threading.Thread):
    """The peer in the role of the post office, for some connections one after another."""

    def __init__(self, domain, served, connections):
        super().__init__(daemon=True)
        self.domain, self.served, self.connections = domain, served, connections
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        context = tls.server_context("imrp", self.domain.chain, self.domain.key, self.domain.name)
        for _ in range(self.connections):
            with tls.accept(self.listener, imrp.Server(self.domain.name), context) as connection:
                self.served.serve(connection)


def serves(t, b):
    """The peer in the role of the post office."""
    record = mailbox.write_record({"verified-domain": "a.example", "received": "2026-11-23T09:30:02Z",
                                   "recipient": "bob@b.example"})
    whole = [letter("One"), letter("Two"), letter("Three")]
    peer = Peer(b, office.Office("bob", b"correct horse", [(record, w) for w in whole]), 2)
    b.office_hosts["b.example"] = peer.address
    copy = b.place / "copy"
    fetched = b.fetch("bob", copy)
    t.equal("fetch-mail", (fetched.code, fetched.err), (0, ""))
    t.equal("its lines", [l.rsplit(" ", 1)[1] for l in fetched.lines()], ["One", "Two", "Three"])
    t.equal("the domain that the record names", [bool(re.search(r"\ba\.example\b", l))
                                                 for l in fetched.lines()], [True] * 3)
    local = mailbox.Mailbox(copy)
    ids = [*local.journal().messages, *local.waiting()]
    t.equal("the messages", sorted(ids), sorted(message.split(w)[0].digest for w in whole))
    for one in whole:
        header, bodies = message.split(one)
        record, found, octets = local.read(header.digest)
        t.equal("whole", (found, octets == bodies), (header, True))
    again = b.fetch("bob", copy)
    t.equal("nothing new", (again.code, again.out), (0, ""))
    peer.join(10)


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    asks(t, b)
    uses_capabilities(t, b)
    proves_by_certificate(t, b)
    serves(t, b)
