"""handlers.py PROGRAMS: the built-in handler and the shipped programs as commands answer alike; a
handler command is believed in its own forms only; policy, routes and reloading."""

import re
import signal
import sqlite3
import stat
import time

from harness import FULL, Domain, Tests, authority, peak_memory, processor_time, run, stored
from imdp import Peer, header

HELLO = b"hello\n"


def without_chance(text):
    """What differs between two deliveries of the same: times, ports."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return re.sub(r"127\.0\.0\.1:\d+", "PEER", text)


class Receiver(Domain):
    """b.example with two users, aliases and commands, in a directory of its own."""

    def __init__(self, t, ca, place):
        whole, t.work = t.work, t.work / place
        t.work.mkdir()
        super().__init__(t, ca, "b.example")
        t.work = whole
        for user in ("ann", "bob"):
            self.add_user(user)
        self.routes += [
            '"all@b.example" = { alias = ["ann@b.example", "bob@b.example"] }',
            '"one@b.example" = { alias = ["two@b.example", "ann@b.example"] }',
            '"two@b.example" = { alias = ["one@b.example"] }',
            '"no@b.example" = { command = ["/bin/sh", "-c", "cat >/dev/null; echo sorry; exit 1"] }',
            '"evil@b.example" = { command = ["/bin/sh", "-c", "cat >/dev/null;'
            ' printf \'OK bob@b.example\\\\nOK\\\\n\\\\001x\\\\n\'; exit 75"] }',
            '"give@b.example" = { command = ["%s", "%s", "-", "{address}"] }' % (
                t.program("server-give-recipient"), self.place / "ann"),
        ]

    def peer(self, sender, server):
        return Peer(server.address, "b.example", sender.chain, sender.key, self.ca.pem)


def builtin(domain):
    return domain.start("server-receive")


def commands(domain):
    """The same tables, read by server-handle-incoming-mail that the server runs."""
    routes = "[routes]\n" + "\n".join(domain.routes) + "\n"
    config = domain.write("handle.toml", f'hostparts = ["b.example"]\n{routes}')
    program = domain.tests.program("server-handle-incoming-mail")
    top = (f'handler = ["{program}", "--config", "{config}"]\n'
           f'check-command = ["{program}", "--check", "--config", "{config}"]\n')
    kept, domain.routes = domain.routes, []
    hosts, domain.receive_settings = domain.receive_settings, lambda t, s, l: (
        f'listen = ["127.0.0.1:0"]\n{t}\n{s}\n{domain.tls(l)}')
    server = domain.start("server-receive", top=top)
    domain.routes, domain.receive_settings = kept, hosts
    return server


def conversation(a, b, server):
    """Every kind of answer; returns all lines that were heard."""
    heard = []
    peer = b.peer(a, server)

    def deliver(*to, lines=(), parts=(HELLO,), body=None):
        block = header("alice@a.example", *to, parts=parts, lines=lines)
        heard.append((to, lines, peer.deliver(block, b"".join(parts) if body is None else body)))

    deliver("bob@b.example")
    deliver("bob@b.example")                                     # again: at the header stage
    deliver("bob@b.example", "ann@b.example")
    deliver("bob@b.example", "nobody@b.example", "none@b.example")
    deliver("carol@c.example")                                   # nobody here
    deliver("bob@b.example", "carol@c.example", lines=("subject: c",))
    deliver("all@b.example", "bob@b.example", lines=("subject: all",))
    deliver("all@b.example", "bob@b.example", lines=("subject: all",))
    deliver("one@b.example", lines=("subject: one",))
    deliver("all@b.example", lines=("subject: loop", "via: all@b.example"))
    deliver("all@b.example", "bob@b.example", lines=("subject: loop2", "via: all@b.example"))
    deliver("bob+x@b.example", "BOB@b.example", lines=("subject: sub",))
    deliver("no@b.example", lines=("subject: no",))
    deliver("evil@b.example", "bob@b.example", "no@b.example", lines=("subject: evil",))
    deliver("give@b.example", lines=("subject: give", "bcc: ann@b.example", "bcc: bob@b.example"))
    deliver("bob@b.example", lines=("subject: nothing",), parts=())
    deliver("bob@b.example", lines=("subject: empty",), parts=(b"", HELLO, b""))
    deliver("bob@b.example", lines=("subject: damaged",), body=b"jello\n")
    deliver("bob@b.example", lines=("subject: large",), parts=(b"x" * 300_000,))
    deliver("bob@b.example", lines=["received: x"] * 50)
    deliver("bob@b.example", lines=["received: x"] * 51)
    deliver("bob@b.example", lines=("mailer: list@evil.example",))
    peer.say(b"DONE\n")
    heard.append(peer.line())
    peer.close()
    return heard


def same_both_ways(t, ca, a):
    mine, theirs = Receiver(t, ca, "builtin"), Receiver(t, ca, "commands")
    one, two = builtin(mine), commands(theirs)
    first, second = conversation(a, mine, one), conversation(a, theirs, two)
    for left, right in zip(first, second):
        t.equal("the same replies", right, left)
    lines = {tuple(said[0]) + tuple(said[1]): said[2] for said in first[:-1]}
    t.equal("accepted", first[0][2], ["ACCEPT", "OK bob@b.example", "OK"])
    t.equal("again", first[1][2], ["OK bob@b.example", "OK"])
    t.equal("unknown", first[3][2], ["NORECIPIENT nobody@b.example", "NORECIPIENT none@b.example",
                                     "REJECT recipients unknown recipients"])
    t.equal("a loop", lines["all@b.example", "subject: loop", "via: all@b.example"],
            ["REJECT loop the message has been here before"])
    evil = lines["evil@b.example", "bob@b.example", "no@b.example", "subject: evil"]
    t.equal("nothing forged", sorted(evil), sorted([
        "ACCEPT", "NOTE evil@b.example OK bob@b.example", "NOTE evil@b.example OK",
        "NOTE evil@b.example \ufffdx", "DEFER evil@b.example \ufffdx", "OK bob@b.example",
        "NOTE no@b.example sorry", "FAIL no@b.example sorry", "PARTIAL"]))
    damaged = lines["bob@b.example", "subject: damaged"]
    t.true("damaged", damaged[1].startswith("NOTE ") and damaged[2] == "FAIL", damaged)
    t.equal("DONE ends it", first[-1], None)
    for user in ("ann", "bob"):
        copies = [kept_text(d.place / user) for d in (mine, theirs)]
        t.equal(f"{user} has the same both ways", copies[1], copies[0])
        t.true("with our received: line once",
               all(c.count("\nreceived: TIME by=b.example from=a.example") == 1 for c in copies[0]))
    t.equal("an orderly end", [one.stop(), two.stop()], [0, 0])


def kept_text(mailbox):
    """The stored messages, in order of their ids, without what chance put there."""
    return [without_chance(p.read_text(errors="replace"))
            for p in sorted((mailbox / "new").rglob("*.ima"), key=lambda p: p.parent.name + p.name)]


def script(domain, name, text):
    path = domain.write(name, "#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def any_handler(t, ca, a):
    d = Receiver(t, ca, "any")
    got = d.place / "got"
    handler = script(d, "handler", f"""
cat >"{got}"
printf 'FAIL bob@b.example \\033[31mno\\n'
printf 'OK eve@b.example\\nOK bob@b.example\\nACCEPT\\nbla\\nNOTE hm\\n'
env | grep ^IMA_ | sort >"{got}.env"
exit "$(cat "{d.place}/exit")"
""")
    kept, d.routes = d.routes, []
    receive, d.receive_settings = d.receive_settings, lambda top, s, l: (
        f'listen = ["127.0.0.1:0"]\n{top}\n{s}\n{d.tls(l)}')
    server = d.start("server-receive", top=f'handler = ["{handler}"]\nmetrics = "127.0.0.1:0"\n')
    d.routes, d.receive_settings = kept, receive
    peer = d.peer(a, server)
    said = ["ACCEPT", "FAIL bob@b.example \ufffd[31mno", "NOTE OK eve@b.example",
            "NOTE OK bob@b.example", "NOTE ACCEPT", "NOTE bla", "NOTE hm"]
    for code, verdict in ((0, "OK"), (1, "FAIL"), (2, "PARTIAL"), (75, "DEFER"), (99, "DEFER")):
        (d.place / "exit").write_text(f"{code}\n")
        block = header("alice@a.example", "bob@b.example", lines=(f"subject: {code}",))
        t.equal(f"exit {code}", peer.deliver(block, HELLO), said + [verdict])
    text = got.read_bytes()
    t.true("the handler had the whole message", text.endswith(b"\n\nhello\n"), text)
    t.true("and our received: line", text.startswith(b"ima: 1\nreceived: "), text)
    environment = got.with_suffix(".env").read_text()
    t.contains("the domain is told", environment, "IMA_VERIFIED_DOMAIN=a.example\n")
    t.contains("and the peer", environment, "IMA_PEER=127.0.0.1:")
    large = b"y" * 1_000_000
    block = header("alice@a.example", "bob@b.example", parts=(large,))
    answer = peer.deliver(block, large[:-1] + b"z")
    t.equal("damaged", answer[-1], "FAIL")
    t.true("nothing of the handler's is heard", not any("hm" in line for line in answer), answer)
    announced = len(block) + len(text) - len(text.split(b"\n", 2)[2]) - len(b"ima: 1\n") + len(large)
    for _ in range(100):
        if got.stat().st_size > 100_000:
            break
        time.sleep(0.05)
    t.true("a damaged message never comes whole", got.stat().st_size < announced,
           (got.stat().st_size, announced))
    (d.place / "exit").write_text("3\n")
    t.equal("exit 3 drops the connection",
            peer.deliver(header("alice@a.example", "bob@b.example"), HELLO)[-1], None)
    peer.close()
    counters(t, server)
    refused = run(t.program("server-receive"), "--config", d.write(
        "open.toml", f'listen = ["127.0.0.1:0"]\nmetrics = "0.0.0.0:0"\n{d.tls()}'))
    t.equal("counters are for loopback alone", refused.code, 78)
    t.contains("and it says so", refused.err, "metrics-address")
    server.stop()


def counters(t, server):
    from urllib.request import urlopen
    where = server.wait_for(r"metrics-listening address=(\S+)").group(1)
    with urlopen(f"http://{where}/metrics", timeout=20) as answer:
        text = answer.read().decode()
        t.contains("the type", answer.headers["Content-Type"], "openmetrics-text")
    t.contains("verdicts are counted", text,
               'ima_events_total{event="message-finished",verdict="PARTIAL"} 1\n')
    t.true("octets are counted", re.search(r"^ima_body_octets_total \d+$", text, re.M), text)
    t.true("it ends as it should", text.endswith("# EOF\n"), text)


def policy_and_reload(t, ca, a):
    d = Receiver(t, ca, "policy")
    policy = script(d, "policy", """
grep -q '^subject: bad' && { echo 'we do not like it'; echo more; exit 1; }
exit 0
""")
    server = d.start("server-receive", top=f'policy-command = ["{policy}"]\n')
    peer = d.peer(a, server)
    t.equal("policy refuses", peer.offer(header("alice@a.example", "bob@b.example",
                                                lines=("subject: bad",))),
            ["REJECT policy we do not like it"])
    t.equal("policy agrees", peer.deliver(header("alice@a.example", "bob@b.example"), HELLO)[-1], "OK")
    config = d.place / "server-receive.toml"
    good = config.read_text()
    script(d, "policy", "echo later; exit 75\n")
    t.equal("policy defers", peer.offer(header("alice@a.example", "ann@b.example")),
            ["DEFER policy later"])
    config.write_text(good.replace("policy-command", 'policy-for = "mailer"\npolicy-command'))
    server.signal(signal.SIGHUP)
    t.true("reloaded", server.wait_for(r" reloaded "))
    t.equal("policy for mail with a mailer: only",
            peer.deliver(header("alice@a.example", "ann@b.example"), HELLO)[-1], "OK")
    t.equal("policy is asked about a mailer:",
            peer.offer(header("x@c.example", "ann@b.example", lines=("mailer: l@a.example",))),
            ["DEFER policy later"])
    config.write_text(good.replace("[routes]", '[routes]\n"new@b.example" = { mailbox = "bob" }\n'
                                   '"bad@b.example" = { alias = ["gone@b.example"] }\n'))
    server.signal(signal.SIGHUP)
    t.true("a broken table is refused", server.wait_for(r" error reload-refused .*gone@b\.example"))
    t.equal("and the old one stays", peer.offer(header("alice@a.example", "new@b.example"))[-1],
            "REJECT recipients unknown recipients")
    t.equal("all of it", peer.deliver(header("alice@a.example", "ann@b.example",
                                             lines=("subject: still",)), HELLO)[-1], "OK")
    config.write_text(good.replace("[routes]", '[routes]\n"new@b.example" = { mailbox = "bob" }\n')
                      .replace("policy-command", 'policy-for = "mailer"\npolicy-command'))
    before, reloads = len(stored(d.place / "bob")), server.text().count(" reloaded ")
    server.signal(signal.SIGHUP)
    t.true("a good table is taken up", server.wait_for(r"(?s)( reloaded .*){%d}" % (reloads + 1)))
    t.equal("with its new entry", peer.deliver(header("alice@a.example", "new@b.example"), HELLO)[-1],
            "OK")
    t.equal("which leads where it says", len(stored(d.place / "bob")), before + 1)
    peer.close()
    t.equal("no file of an offer that came to nothing is left",
            [p for box in ("ann", "bob") for p in (d.place / box / "tmp").iterdir()], [])
    t.equal("an orderly end", server.stop(), 0)


def descriptors(t, ca, a):
    """A server without file descriptors waits, and lives on."""
    import socket
    d = Receiver(t, ca, "few")
    server = d.start("server-receive", wrapper=("prlimit", "--nofile=40"))
    name, port = server.address.rsplit(":", 1)
    crowd = [socket.create_connection((name, int(port))) for _ in range(60)]
    t.true("it says so", server.wait_for(r" accept-failed "))
    began, worked = time.monotonic(), processor_time(server.process.pid)
    t.true("it tries again", server.wait_for("(?s)( accept-failed .*){5}"))
    worked, passed = processor_time(server.process.pid) - worked, time.monotonic() - began
    t.true("and waits in between", worked < passed / 5, (worked, passed))
    tries = server.text().count(" accept-failed ")
    t.true("longer each time", tries <= 6 + passed, (tries, passed))  # a second at most
    for each in crowd:
        each.close()
    peer = d.peer(a, server)
    t.equal("it lives on", peer.deliver(header("alice@a.example", "bob@b.example"), HELLO)[-1], "OK")
    peer.close()
    t.equal("an orderly end", server.stop(), 0)


def large_table(t, ca, a):
    """A table of many addresses is looked up, not loaded."""
    d = Receiver(t, ca, "large")
    table = sqlite3.connect(d.place / "routes.sqlite")
    table.execute("CREATE TABLE routes (address TEXT NOT NULL, position INTEGER NOT NULL,"
                  " action TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (address, position))"
                  " WITHOUT ROWID")
    count = 1_000_000 if FULL else 20_000
    table.executemany("INSERT INTO routes VALUES (?, 0, 'mailbox', ?)",
                      ((f"user{n}@b.example", "bob") for n in range(count)))
    table.execute("INSERT INTO routes VALUES ('@b.example', 0, 'mailbox', 'ann')")
    table.commit()
    server = d.start("server-receive", top='routes-database = "routes.sqlite"')
    peer = d.peer(a, server)
    for who, box in ((f"user{count - 1}", "bob"), ("USER7+x", "bob"), ("other", "ann")):
        before = len(stored(d.place / box))
        t.equal(f"{who} is found", peer.deliver(
            header("alice@a.example", f"{who}@b.example", lines=(f"subject: {who}",)), HELLO)[-1], "OK")
        t.equal(f"in {box}", len(stored(d.place / box)), before + 1)
    t.true("nobody loads it", peak_memory(server.process.pid) < 48 << 20,
           peak_memory(server.process.pid))
    table.execute("UPDATE routes SET action = 'nonsense' WHERE address = 'user1@b.example'")
    table.commit()
    t.equal("an entry that makes no sense defers",
            peer.offer(header("alice@a.example", "user1@b.example"))[-1],
            "DEFER storage the store fails")
    peer.close()
    t.equal("an orderly end", server.stop(), 0)


with Tests() as t:
    ca = authority(t.work)
    a = Domain(t, ca, "a.example")
    same_both_ways(t, ca, a)
    any_handler(t, ca, a)
    policy_and_reload(t, ca, a)
    large_table(t, ca, a)
    descriptors(t, ca, a)
