"""Senders, the queue's runner and the receiver killed at random instants: what a sender was told is
sent or queued arrives, once, and nothing is left behind."""

import os
import random
import signal
import socket
import subprocess
import threading
import time

from harness import FULL, Domain, Tests, authority, run, stored

SEED = int(os.environ.get("IMA_SEED", "0")) or random.randrange(1, 1 << 32)
SENDERS = 4
EACH = 150 if FULL else 6
QUEUE = '[queue]\npath = "queue"\nfirst-retry = "1s"\nlongest-retry = "1s"\n'


class Receiver(Domain):
    """Always on the same port, so that it is found again."""

    def __init__(self, tests, ca, name):
        super().__init__(tests, ca, name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.hosts[name] = f"127.0.0.1:{self.port}"

    def receive_settings(self, top="", sections="", tls=""):
        return super().receive_settings(top, sections, tls).replace(
            "127.0.0.1:0", f"127.0.0.1:{self.port}")


def kill_again_and_again(chance, over, longest, start, killed):
    """Runs what START starts, and kills it after a moment of up to so many seconds."""
    while not over.is_set():
        process = start()
        try:
            process.wait(chance.random() * longest)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed.append(process.wait(60))


class Sender(threading.Thread):
    """Sends message after message by way of the queue, and is sought to be killed in half of them: more
    than EACH, where none was killed yet or none was not."""

    def __init__(self, t, a, config, number):
        super().__init__()
        self.t, self.a, self.config, self.number = t, a, config, number
        self.chance = random.Random(SEED + number)
        self.acknowledged, self.killed, self.codes = set(), 0, set()

    def run(self):
        for i in range(20 * EACH):
            if i >= EACH and self.killed and self.acknowledged:
                break
            subject = f"{self.number}.{i}"
            message = self.a.message("--to", "bob@b.example", "--to", "ann@b.example", "--subject",
                                     subject)
            process = subprocess.Popen(
                [str(self.t.program("server-send-mail")), "--config", str(self.config)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            process.stdin.write(message)
            process.stdin.close()
            if self.chance.random() < 0.5:
                time.sleep(self.chance.random() ** 3 * 0.2)  # most of them take a few milliseconds
                process.send_signal(signal.SIGKILL)
            code = process.wait(120)
            self.codes.add(code)
            if code == 0:
                self.acknowledged.add(subject)
            self.killed += code == -signal.SIGKILL


def subjects(mailbox):
    found = []
    for file in (mailbox / "new").rglob("*.ima"):
        text = file.read_text(errors="replace")
        found += [line[9:] for line in text.splitlines() if line.startswith("subject: ")]
    return sorted(found)


def main(t):
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Receiver(t, ca, "b.example")
    boxes = [b.add_user("ann"), b.add_user("bob")]
    config = a.write("send.toml", a.send_settings(b.hosts, sections=QUEUE))
    settings = b.write("server-receive.toml", b.receive_settings())
    over, killed = threading.Event(), []

    def start(name, file, *words):
        def now():
            with open(b.place / "killed.log", "ab") as log:
                return subprocess.Popen([str(t.program(name)), "--config", str(file), *words],
                                        stdin=subprocess.DEVNULL, stderr=log)
        return now

    killers = [
        threading.Thread(target=kill_again_and_again, args=(
            random.Random(SEED - 1), over, 1.5, start("server-receive", settings), killed)),
        threading.Thread(target=kill_again_and_again, args=(
            random.Random(SEED - 2), over, 0.8, start("server-send-mail", config, "--run-queue"),
            killed))]
    senders = [Sender(t, a, config, n) for n in range(SENDERS)]
    for thread in (*killers, *senders):
        thread.start()
    for sender in senders:
        sender.join()
    for _ in range(600):
        if len(killed) >= 2:
            break
        time.sleep(0.1)
    over.set()
    for killer in killers:
        killer.join()

    t.true("receiver and runner were killed", len(killed) >= 2, killed)
    t.equal("and by nothing else", set(killed), {-signal.SIGKILL})
    t.true("senders were killed, and some were not", any(s.killed for s in senders) and
           any(s.acknowledged for s in senders))
    t.true("a sender ends well, later, or by a kill",
           set().union(*(s.codes for s in senders)) <= {0, 75, -signal.SIGKILL},
           [s.codes for s in senders])

    server = b.start("server-receive")
    queue = a.place / "queue"
    for _ in range(120):
        run(t.program("server-send-mail"), "--config", config, "--run-queue", "--once")
        if not any((queue / "entries").iterdir()):
            break
        time.sleep(0.5)
    t.equal("the queue empties", list((queue / "entries").iterdir()), [])
    t.equal("and leaves nothing", [p for p in (queue / "tmp").iterdir() if any(p.iterdir())], [])
    t.equal("the receiver ends in order", server.stop(), 0)
    wanted = set().union(*(s.acknowledged for s in senders))
    for box in boxes:
        found = subjects(box)
        t.equal(f"nothing twice in {box.name} (seed {SEED})", len(found), len(set(found)))
        t.equal(f"nothing lost in {box.name} (seed {SEED})", sorted(wanted - set(found)), [])
        t.equal("nothing but that", len(stored(box)), len(found))


with Tests() as tests:
    main(tests)
