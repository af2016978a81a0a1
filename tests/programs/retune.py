"""Settings that may change while a program runs are taken up by it, and those that may not are named."""

import os
import signal
import socket
import sqlite3
from urllib.request import urlopen

from harness import Domain, QueueRunner, Tests, authority, stored
from imdp import Peer, header

QUEUE = '[queue]\npath = "queue"\nfirst-retry = "1s"\nlongest-retry = "1s"\n'


def table(place, name, user):
    """A routing database in which USER has bob's mailbox."""
    path = place / name
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE routes (address TEXT NOT NULL, position INTEGER NOT NULL,"
                     " action TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (address, position))"
                     " WITHOUT ROWID")
        made.execute("INSERT INTO routes VALUES (?, 0, 'mailbox', 'bob')", (f"{user}@b.example",))
    made.close()
    return path


def receiver(t, a, b):
    table(b.place, "routes.sqlite", "first")
    server = b.start("server-receive", 'routes-database = "routes.sqlite"\n')
    config = b.place / "server-receive.toml"
    settings = config.read_text()

    def peer():
        return Peer(server.address, "b.example", a.chain, a.key, a.ca.pem)

    def answer(user):
        return peer().offer(header("alice@a.example", f"{user}@b.example"))[-1]

    def reload(text, pattern):
        config.write_text(text)
        done = server.text().count(" reloaded ")
        server.signal(signal.SIGHUP)
        t.true(pattern, server.wait_for(f"(?s)(reloaded .*){{{done + 1}}}"), server.text())

    t.contains("the first limit", peer().greeting, "max-size=104857600")
    held = peer()
    reload("max-size = 4000\n" + settings, "a limit")
    t.contains("the next limit", peer().greeting, "max-size=4000")
    t.equal("an open connection keeps its own",
            held.offer(header("alice@a.example", "bob@b.example", parts=(b"x" * 5000,)))[-1], "ACCEPT")
    held.close()
    reload("max-size = 4000\n" + settings.replace(":0", ":1"), "another port")
    t.true("needs a restart", server.wait_for(r"warning restart-needed settings=listen\n"))
    reload("workers = 2\nmetrics = '127.0.0.1:0'\n" + settings, "threads and counters")
    t.true("need one too", server.wait_for(r"restart-needed settings=metrics,workers\n"))

    # A routing database that is replaced, noticed without a signal.
    reload(settings.replace("[tls]\n", '[tls]\nwatch = "100ms"\n'), "watching")
    t.equal("in the table", answer("first"), "ACCEPT")
    with sqlite3.connect(b.place / "routes.sqlite") as rows:
        rows.execute("INSERT INTO routes VALUES ('added@b.example', 0, 'mailbox', 'bob')")
    rows.close()
    t.equal("a row counts at once", answer("added"), "ACCEPT")
    os.replace(table(b.place, "fresh.sqlite", "second"), b.place / "routes.sqlite")
    t.true("the change is seen", server.wait_for(r"reloaded why=change"), server.text())
    t.equal("in the new table", answer("second"), "ACCEPT")
    t.equal("no more in it", answer("first"), "REJECT recipients unknown recipients")
    t.equal("rows are no change of the file", server.text().count("why=change"), 1)
    t.equal("the receiver ends in order", server.stop(), 0)


def post_office(t, b):
    office = b.start("server-post-office", 'metrics = "127.0.0.1:0"\n')
    where = office.wait_for(r"metrics-listening address=(\S+)").group(1)
    t.equal("mail is fetched", b.fetch("bob", t.work / "copy").code, 0)
    with urlopen(f"http://{where}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    t.contains("users are counted", text, 'ima_events_total{event="user-proved"} 1\n')
    config = b.place / "server-post-office.toml"
    config.write_text(config.read_text().replace(
        "[tls]\n", "[limits]\nconnections-per-peer = 1\n[tls]\n", 1).replace(":0", ":1"))
    office.signal(signal.SIGHUP)
    t.true("what needs a restart", office.wait_for("restart-needed settings=listen,metrics\n"))
    with socket.create_connection(("127.0.0.1", office.port), 30) as one, \
            socket.create_connection(("127.0.0.1", office.port), 30) as two:
        t.equal("a limit counts at once", two.recv(1), b"")
        one.close()
    t.equal("the post office ends in order", office.stop(), 0)


def runner(t, a, b):
    """A queue's host is found where the settings say, from the reload on."""
    server = b.start("server-receive")
    there, away = {"b.example": server.address}, {"b.example": "127.0.0.1:1"}
    before = len(stored(b.place / "bob"))
    sent = a.send(a.message("--to", "bob@b.example"), hosts=away, sections=QUEUE)
    t.contains("queued", sent.out, "QUEUED bob@b.example")
    config = a.write("run.toml", a.send_settings(away, sections=QUEUE))
    run = QueueRunner(t, config)
    t.true("it is away", run.wait_for("queue-result .*=bob@b.example result=DEFER"), run.text())
    config.write_text(a.send_settings(there, sections=QUEUE.replace('"queue"', '"other"')))
    run.signal(signal.SIGHUP)
    t.true("it is found", run.wait_for("queue-result .*=bob@b.example result=OK"), run.text())
    t.equal("it is there", len(stored(b.place / "bob")), before + 1)
    t.contains("another queue needs a restart", run.text(), "restart-needed settings=queue.path\n")
    t.equal("the runner ends in order", run.stop(), 0)
    server.stop()


with Tests() as tests:
    ca = authority(tests.work)
    sender, receiving = Domain(tests, ca, "a.example"), Domain(tests, ca, "b.example")
    receiving.add_user("bob")
    receiver(tests, sender, receiving)
    post_office(tests, receiving)
    runner(tests, sender, receiving)
