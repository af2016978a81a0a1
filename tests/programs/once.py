"""once.py PROGRAMS: whoever is killed at a moment of chance or is gone after a step of the exchange, each
mailbox gets each message once, and what was answered OK is there. See also killed.py."""

import os
import random
import signal
import subprocess
import threading
import time

from harness import FULL, Domain, Tests, authority, stored
from imdp import Peer, header

MESSAGES = 150 if FULL else 12
SEED = int(os.environ.get("IMA_SEED", "0")) or random.randrange(1, 1 << 32)


class Disturbed:
    """b.example's server, and senders to it, one of which is killed after a moment."""

    def __init__(self, t, a, b):
        self.t, self.a, self.b = t, a, b
        self.random = random.Random(SEED)
        self.server = b.start("server-receive")
        self.killed = {"server": 0, "sender": 0}

    def restart(self):
        self.server.kill()
        self.server = self.b.start("server-receive")

    def send(self, path, who):
        """One attempt, in which WHO is killed; returns the sender's exit code."""
        config = self.a.write("send.toml", self.a.send_settings({"b.example": self.server.address}))
        sender = subprocess.Popen([str(self.t.program("server-send-mail")), "--config", str(config),
                                   str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        reader = threading.Thread(target=sender.stdout.read)
        reader.start()
        if who is not None:
            time.sleep(self.random.uniform(0, 0.12))
            (self.server.kill if who == "server" else sender.kill)()
        code = sender.wait(120)
        self.killed["sender"] += code == -signal.SIGKILL
        reader.join()
        sender.stdout.close()
        if who == "server":
            self.killed["server"] += 1
            self.restart()
        return code

    def enough(self, messages):
        """Whoever is killed after a moment may have done its work by then."""
        return messages >= MESSAGES and (min(self.killed.values()) > 0 or messages >= 20 * MESSAGES)


class Stepwise:
    """A sender that goes one step of an exchange further each time, before one side is gone."""

    STEPS = 9

    def __init__(self, block, body):
        half = len(block) // 2
        self.moves = [b"MAIL %d\n" % len(block), block[:half], block[half:], None,
                      b"DATA %d\n" % len(body), body[:3], body[3:], None]

    def go(self, peer, steps):
        """Makes the first STEPS moves; a move that is None waits for a line instead."""
        for move in self.moves[:steps]:
            if move is None:
                peer.line()
            else:
                peer.say(move)


def every_step(t, a, b, world):
    """Server or sender gone after each step of an exchange; the message is sent again."""
    for who in ("server", "sender"):
        for steps in range(Stepwise.STEPS):
            before = len(stored(b.place / "ann"))
            block = header("alice@a.example", "ann@b.example", lines=(f"subject: {who} {steps}",))
            peer = Peer(world.server.address, "b.example", a.chain, a.key, a.ca.pem)
            Stepwise(block, b"hello\n").go(peer, steps)
            if who == "server":
                world.restart()
            peer.close()
            answer = ["DEFER in-progress"]
            while answer[-1].startswith("DEFER in-progress"):  # the lost one is still being dropped
                again = Peer(world.server.address, "b.example", a.chain, a.key, a.ca.pem)
                answer = again.deliver(block, b"hello\n")
                again.close()
            t.equal(f"sent again after step {steps}, {who} gone", answer[-1], "OK")
            t.equal("one copy", len(stored(b.place / "ann")), before + 1)


def send_in_the_end(world, path):
    """Sends until it is not deferred: the attempt before may still be in hand."""
    code = 75
    while code == 75:
        code = world.send(path, None)
    return code


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    boxes = [b.add_user("ann"), b.add_user("bob")]
    b.routes.append('"both@b.example" = { alias = ["ann@b.example", "bob@b.example"] }')
    world = Disturbed(t, a, b)
    photo = a.write("photo.jpg", "")
    photo.write_bytes(os.urandom(200_000))
    number = 0
    while not world.enough(number):
        words = ["--subject", number, *(["--attach", photo] if number % 2 else [])]
        to = ("--to", "ann@b.example", "--to", "bob@b.example") if number % 3 else \
            ("--to", "both@b.example", "--bcc", "bob@b.example")
        path = a.place / "message.ima"
        path.write_bytes(a.message(*to, *words))
        for who in world.random.choices(["server", "sender"], k=world.random.randrange(1, 4)):
            if world.send(path, who) == 0:
                t.equal(f"what was answered OK is there (seed {SEED})",
                        [len(stored(box)) for box in boxes], [number + 1] * 2)
        t.equal(f"message {number} arrives in the end (seed {SEED})",
                send_in_the_end(world, path), 0)
        t.equal(f"one copy each (seed {SEED})", [len(stored(box)) for box in boxes],
                [number + 1] * 2)
        number += 1
    for box in boxes:
        names = stored(box)
        t.equal("no message twice", len(set(names)), len(names))
        photos = [p.read_bytes() == photo.read_bytes() for p in (box / "new").rglob("*photo.jpg")]
        t.equal("attachments whole", photos, [True] * (number // 2))
    every_step(t, a, b, world)
    t.true("both were killed", min(world.killed.values()) > 0, world.killed)
    t.equal("an orderly end", world.server.stop(), 0)
