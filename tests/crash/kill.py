"""Deliverers and post offices killed at random instants: what was acknowledged is there, once."""

import random
import signal
import subprocess
import threading

from harness import FULL, Tests, authority, Domain, run, stored
from messages import Letter, check_mailbox, deliver

WORKERS = 16
EACH = 625 if FULL else 8
PATIENCE = 1800 if FULL else 120  # with sixteen deliverers at work


def main(t):
    b = Domain(t, authority(t.work), "b.example")
    box = b.add_user("bob")
    acknowledged, tried, killed = set(), set(), []
    done = threading.Event()

    def deliverer(number):
        chance = random.Random(number)
        for i in range(EACH):
            # Half of them deliver what their neighbour does, too.
            letter = Letter(f"{number // 2} {i}", b"JPEG" * 500 if i % 2 else b"")
            tried.add(letter.id)
            moment = chance.random() * 0.04 if chance.random() < 0.5 else None
            code = deliver(t, box, letter, kill_after=moment)
            if code == 0:
                acknowledged.add(letter.id)
            else:
                killed.append(code)

    def post_office():
        """Takes in and lists, in a process that is killed again and again."""
        chance = random.Random(99)
        while not done.is_set():
            process = subprocess.Popen(
                [str(t.program("ima-admin")), "mailbox", "repair", str(box)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(chance.random() * 0.1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    workers = [threading.Thread(target=deliverer, args=(n,)) for n in range(WORKERS)]
    office = threading.Thread(target=post_office)
    office.start()
    for worker in workers:
        worker.start()
    # Meanwhile a user fetches from a server that is killed, too.
    copy = t.work / "copy"
    try:
        while any(worker.is_alive() for worker in workers):
            server = b.start("server-post-office")
            b.fetch("bob", copy, timeout=PATIENCE)
            server.kill()
    finally:
        for worker in workers:
            worker.join()
        done.set()
        office.join()

    t.true("some were killed, some were not", acknowledged and killed, (acknowledged, killed))
    t.equal("a delivery ends well or by a kill", set(killed), {-signal.SIGKILL})
    check_mailbox(t, "the mailbox", box, acknowledged, tried)
    b.start("server-post-office")
    t.equal("a fetch after all that", b.fetch("bob", copy, timeout=PATIENCE).code, 0)
    run(t.program("ima-admin"), "mailbox", "repair", copy)
    t.equal("the user's copy is the mailbox", stored(copy), stored(box))


with Tests() as tests:
    main(tests)
