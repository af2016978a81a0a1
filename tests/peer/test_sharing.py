"""Several deliverers of both implementations bring the same messages to one mailbox, while its user
asks what is new: each message is there once, whole, and announced once."""

import collections
import random
import threading

import mailbox
import message
import tls
from asker import Asker
from support import Domain, Tests, authority, run

COUNT = 24


def letters():
    for at in range(COUNT):
        parts = [(b"text\n", "text/plain", {})]
        if at % 2:
            parts.append((b"x" * 5000, "image/png", {"name": "a picture.png"}))
        yield message.compose([("id", str(at)), ("from", "a@a.example"), ("to", "bob@b.example")],
                              parts)


def deliver(store, whole, done):
    for one in whole:
        header, bodies = message.split(one)
        done.append(store.deliver(header, bodies, header.recipients[0]))


def give(program, store, whole, codes):
    for one in whole:
        codes.append(run(program, store.path, "-", "bob@b.example", stdin=one).code)


def shuffled():
    whole = list(letters())
    random.shuffle(whole)
    return whole


with Tests() as t:
    random.seed(1)
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    store = mailbox.Mailbox(b.add_user("bob"))
    ask = Asker(b.start("server-post-office"), tls.client_context(ca.pem, "imrp"))
    t.equal("proved", ask.auth("bob", b"correct horse"), [("ok",)])

    done, codes = [], []
    deliverers = [threading.Thread(target=deliver, args=(store, shuffled(), done)) for _ in range(4)]
    deliverers += [threading.Thread(target=give, args=(t.program("server-give-recipient"), store,
                                                       shuffled(), codes)) for _ in range(2)]
    for one in deliverers:
        one.start()
    announced, token, last = collections.Counter(), "0", False
    while not last:
        last = not any(one.is_alive() for one in deliverers)
        *lines, (_, token, _) = ask.changes("inbox", token, 100)
        announced.update(line[1] for line in lines)
    ids = [message.split(whole)[0].digest for whole in letters()]
    t.equal("each is announced once", announced, collections.Counter(ids))
    t.equal("each is in the journal", sorted(store.journal().messages), sorted(ids))
    t.equal("each is whole", [store.read(which)[1].digest for which in ids], ids)
    t.equal("what is over is gone", (store.waiting(), list((store.path / "tmp").iterdir())), ([], []))
    t.equal("the program took or knew each", codes, [0] * (2 * COUNT))
    t.true("each deliverer had an answer for each", len(done) == 4 * COUNT, done)
