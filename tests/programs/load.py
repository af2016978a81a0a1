"""load.py PROGRAMS: the load generator and the sink of benchmarks/, with the programs between them."""

import subprocess

from harness import Domain, Tests, authority, run, stored

MESSAGES = 20

with Tests() as t:
    benchmarks = t.programs.parent / "benchmarks"
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    bob = b.add_user("bob")

    def identity(domain):
        return ["--ca", ca.pem, "--chain", domain.chain, "--key", domain.key]

    # Over several connections at once, each message arrives once.
    server = b.start("server-receive")
    sent = run(benchmarks / "ima-source", *identity(a), "--server", server.address, "--to",
               "bob@b.example", "--messages", MESSAGES, "--connections", 4)
    t.equal("all were sent", (sent.code, sent.out.split()[0]), (0, f"messages={MESSAGES}"))
    t.equal("each is there, once", (len(stored(bob)), len(set(stored(bob)))), (MESSAGES, MESSAGES))
    t.equal("an orderly end", server.stop(), 0)

    # Through the queue and its runner into the sink.
    sink = t.started(subprocess.Popen([str(w) for w in (benchmarks / "ima-sink", *identity(b))],
                                      stdout=subprocess.PIPE, text=True))
    address = sink.stdout.readline().strip()
    queue = a.place / "queue"
    filled = run(benchmarks / "ima-source", *identity(a), "--queue", queue, "--to", "bob@b.example",
                 "--messages", MESSAGES)
    t.equal("all are queued", (filled.code, len(list((queue / "entries").iterdir()))), (0, MESSAGES))
    config = a.write("run.toml", a.send_settings({"b.example": address},
                                                 sections='[queue]\npath = "queue"\n'))
    ran = run(t.program("server-send-mail"), "--config", config, "--run-queue", "--once")
    t.equal("the runner ends", ran.code, 0)
    t.equal("the sink took each, once", ran.err.count(" queue-result "), MESSAGES)
    t.equal("and nothing else happened", ran.err.count(" result=OK "), MESSAGES)
    t.equal("nothing waits", list((queue / "entries").iterdir()), [])
