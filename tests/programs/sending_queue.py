"""What cannot be delivered now waits in the queue, whoever is killed, and arrives once."""

import json
import re
import shutil
import signal
import subprocess
import time
from urllib.request import urlopen

from harness import Domain, Tests, authority, run, stored

QUEUE = '[queue]\npath = "queue"\nfirst-retry = "1s"\nlongest-retry = "1s"\n'
NOBODY = "127.0.0.1:1"

with Tests() as t:
    ca = authority(t.work)
    a, b, c = (Domain(t, ca, name) for name in ("a.example", "b.example", "c.example"))
    alice, bob, carol = a.add_user("alice"), b.add_user("bob"), c.add_user("carol")
    for domain in (a, b, c):
        domain.start("server-receive")
    everyone = {d.name: d.hosts[d.name] for d in (a, b, c)}
    carol_is_away = {**everyone, "c.example": NOBODY}
    queue = a.place / "queue"

    def waiting():
        return json.loads(a.admin("queue", "list", queue, "--json").out)

    def run_queue(hosts):
        config = a.write("run.toml", a.send_settings(hosts, sections=QUEUE))
        return run(t.program("server-send-mail"), "--config", config, "--run-queue", "--once")

    def run_until_empty(hosts):
        for _ in range(100):
            run_queue(hosts)
            if not waiting():
                return True
            time.sleep(0.2)
        return False

    # One host is away: the other gets it, and the rest waits.
    both = a.message("--to", "bob@b.example", "--to", "carol@c.example", "--subject", "Photos")
    sent = a.send(both, hosts=carol_is_away, sections=QUEUE)
    t.equal("sent or queued", sent.code, 0)
    t.contains("the one that has it", sent.out, "OK bob@b.example\n")
    t.contains("the one that waits", sent.out, "QUEUED carol@c.example")
    t.equal("one waits", len(waiting()), 1)
    entry = waiting()[0]
    t.equal("what is known of hosts", [(h["host"], h["state"]) for h in entry["hosts"]],
            [("b.example", "delivered"), ("c.example", "deferred")])
    t.contains("why it waits", a.admin("queue", "explain", queue, entry["id"]).out, "refused")
    a.admin("queue", "hold", queue, entry["id"])
    time.sleep(1.3)
    run_queue(everyone)
    t.equal("a held message is not tried", len(stored(carol)), 0)
    a.admin("queue", "release", queue, entry["id"])
    t.true("a released one is delivered", run_until_empty(everyone))
    t.equal("once to each", (len(stored(bob)), len(stored(carol))), (1, 1))

    # A refusal for good in the first round: nothing is queued, and nobody gets it.
    sent = a.send(a.message("--to", "bob@b.example", "--to", "nobody@c.example"), hosts=everyone,
                  sections=QUEUE)
    t.equal("refused", sent.code, 1)
    t.equal("nothing is queued", waiting(), [])
    t.equal("nobody got it", len(stored(bob)), 1)

    # Refused for good later on: the sender is told by mail.
    sent = a.send(a.message("--to", "nobody@c.example"), hosts=carol_is_away, sections=QUEUE)
    t.equal("queued", sent.code, 0)
    t.true("it and its report are done with", run_until_empty(everyone))
    reports = list(alice.glob("new/*"))
    t.equal("one report", len(reports), 1)
    texts = "".join(f.read_text() for r in reports for f in ([r] if r.is_file() else r.iterdir()))
    t.contains("the report is automatic", texts, "auto: report\n")
    t.contains("the report says who", texts, "nobody@c.example\n")
    t.contains("the report has the header block", texts, "to: nobody@c.example\n")

    # What an operator sees and does, of one message and of all.
    for subject in ("one", "two"):
        a.send(a.message("--to", "carol@c.example", "--subject", subject), hosts=carol_is_away,
               sections=QUEUE.replace('"1s"', '"1h"'))
    (one, two) = sorted(m["id"] for m in waiting())

    def any_end(command, *words):
        return run(t.program("ima-admin"), "queue", command, queue, *words)

    def admin(*words):
        done = any_end(*words)
        t.equal(f"{words[0]} goes well", (done.code, done.err), (0, ""))
        return done.out

    def explained():
        return json.loads(admin("explain", one, "--json"))["hosts"][0]

    shown = json.loads(admin("show", one, "--json"))
    t.equal("show is what list shows", shown, next(m for m in waiting() if m["id"] == one))
    t.contains("show has the header", admin("show", one), "  to: carol@c.example\n")
    host = explained()
    t.equal("it waits", (host["why"], host["tries"], host["next"]), ("waits", 1, shown["hosts"][0]["next"]))
    t.contains("for this", host["problem"], "refused")
    t.true("since", host["last"] < host["next"], host)
    t.contains("in words too", admin("explain", one), "tried 1 times, last at " + host["last"])
    admin("hold", one)
    t.equal("held", (explained()["why"], explained()["next"]), ("held", ""))
    admin("release", one)
    admin("retry", one)
    t.equal("hurried", (explained()["why"], [m["hosts"][0]["next"] == shown["hosts"][0]["next"]
                                             for m in waiting() if m["id"] == one]), ("due", [False]))
    t.equal("retry needs to know which", any_end("retry").code, 64)
    t.equal("and not twice", any_end("retry", one, "--all").code, 64)
    t.equal("one that is not there", any_end("retry", "0" * 64).code, 64)
    t.equal("the other still waits", json.loads(admin("explain", two, "--json"))["hosts"][0]["why"],
            "waits")
    admin("retry", "--all")
    t.equal("all are due", json.loads(admin("explain", two, "--json"))["hosts"][0]["why"], "due")

    # One that cannot be read hides no other.
    entry = queue / "entries" / one / "_entry"
    entry.rename(queue / "kept")
    entry.mkdir()
    for words in ((), ("--json",)):
        listed = any_end("list", *words)
        t.equal("an entry that cannot be read", listed.code, 75)
        t.contains("is named", listed.err, one)
        t.contains("the other is listed", listed.out, two)
        t.true("it is not", one not in listed.out, listed.out)
    t.equal("retry --all says so", any_end("retry", "--all").code, 75)
    entry.rmdir()
    (queue / "kept").rename(entry)
    for each in (one, two):
        admin("drop", each)
    t.equal("dropped, without a report", waiting(), [])

    # A domain that is dropped by the operator is gone without a report.
    a.send(a.message("--to", "carol@c.example"), hosts=carol_is_away, sections=QUEUE)
    a.admin("queue", "drop", queue, waiting()[0]["id"])
    t.equal("dropped", waiting(), [])

    # Entries that cannot be read: what may pass and what will not, the latter told by the exit code.
    broken = [queue / "entries" / (digit * 64) for digit in "0123456789"]
    for place in broken[1:]:
        (place / "_message").mkdir(parents=True)  # as a disk that fails
    broken[0].mkdir()
    listed = run(t.program("ima-admin"), "queue", "list", queue)
    t.equal("the worst counts", listed.code, 65)
    t.equal("each is named", sorted(line.split(": ")[1] for line in listed.err.splitlines()),
            [place.name for place in broken])
    shutil.rmtree(broken[0])
    t.equal("what may pass", run(t.program("ima-admin"), "queue", "list", queue).code, 75)
    for place in broken[1:]:
        shutil.rmtree(place)

    # Killed at any instant, sender and runner alike: everything acknowledged arrives, once.
    config = a.write("kill.toml", a.send_settings(everyone, sections=QUEUE))
    acknowledged = 0
    for i in range(12):
        message = a.message("--to", "bob@b.example", "--to", "carol@c.example", "--subject",
                            f"kill {i}")
        hosts = carol_is_away if i % 2 else everyone
        config.write_text(a.send_settings(hosts, sections=QUEUE))
        process = subprocess.Popen(
            [str(t.program("server-send-mail")), "--config", str(config)], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.stdin.write(message)
        process.stdin.close()
        if i % 3:
            time.sleep(0.004 * i)
            process.kill()
        acknowledged += process.wait() == 0
        config.write_text(a.send_settings(everyone, sections=QUEUE))
        runner = subprocess.Popen([str(t.program("server-send-mail")), "--config", str(config),
                                   "--run-queue", "--once"], stderr=subprocess.DEVNULL)
        time.sleep(0.006 * i)
        runner.kill()
        runner.wait()
    t.true("the queue empties after the kills", run_until_empty(everyone))
    t.true("all that was acknowledged is there",
           min(len(set(stored(bob))), len(set(stored(carol)))) >= 1 + acknowledged,
           (acknowledged, len(stored(bob)), len(stored(carol))))
    for name, mailbox in (("bob", bob), ("carol", carol)):
        t.equal(f"nothing came twice to {name}", len(stored(mailbox)), len(set(stored(mailbox))))
    t.equal("nothing is left behind", [p for p in (queue / "tmp").iterdir() if any(p.iterdir())], [])

    # One that stays up takes what comes, and ends when told.
    staying = a.write("stay.toml", a.send_settings(everyone, sections=QUEUE))
    log = a.place / "stay.log"
    staying.write_text('metrics = "127.0.0.1:0"\n' + staying.read_text())
    with open(log, "wb") as file:
        runner = subprocess.Popen([str(t.program("server-send-mail")), "--config", str(staying),
                                   "--run-queue"], stderr=file)
    before = len(stored(carol))
    a.send(a.message("--to", "carol@c.example", "--subject", "last"), hosts=carol_is_away,
           sections=QUEUE)
    for _ in range(200):  # it is there before its sender has heard so
        if " queue-result " in log.read_text():
            break
        time.sleep(0.05)
    t.equal("it was delivered by the runner", len(stored(carol)), before + 1)
    where = re.search(r"metrics-listening address=(\S+)", log.read_text()).group(1)
    with urlopen(f"http://{where}/metrics", timeout=20) as answer:
        counts = answer.read().decode()
    t.contains("results are counted", counts, 'ima_events_total{event="queue-result",result="OK"} 1\n')
    t.contains("connections are", counts, 'ima_events_total{event="connection-opened"} 1\n')
    runner.send_signal(signal.SIGTERM)
    t.equal("the runner ends by itself", runner.wait(30), 0)
    t.contains("the runner logs results", log.read_text(), "recipient=carol@c.example result=OK")
    open_to_all = a.write("open.toml", 'metrics = "0.0.0.0:0"\n' + a.send_settings(everyone, sections=QUEUE))
    refused = run(t.program("server-send-mail"), "--config", open_to_all, "--run-queue")
    t.equal("counters are for loopback alone", refused.code, 78)
    t.contains("and it says so", refused.err, "metrics-address")

    # The limits of docs/delivery.md section 9 are the sender's too.
    long = a.message("--to", "carol@c.example", "--subject", "x" * 2000)
    t.equal("a header block is within the limit", a.send(long, hosts=everyone).code, 0)
    small = a.send(long, hosts=everyone, sections='[limits]\nheader-block = "1 KiB"\n')
    t.equal("and over a smaller one", small.code, 65)
    t.contains("which it says", small.err, "header-limit")
