"""once.py PROGRAMS: whoever is killed at any instant, each mailbox gets each message once, and what
was answered OK is there."""

import os
import random
import subprocess
import threading
import time

from harness import FULL, Domain, Tests, authority, stored

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
            self.killed[who] += 1
        code = sender.wait(120)
        reader.join()
        sender.stdout.close()
        if who == "server":
            self.restart()
        return code


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    boxes = [b.add_user("ann"), b.add_user("bob")]
    b.routes.append('"both@b.example" = { alias = ["ann@b.example", "bob@b.example"] }')
    world = Disturbed(t, a, b)
    photo = a.write("photo.jpg", "")
    photo.write_bytes(os.urandom(200_000))
    for number in range(MESSAGES):
        words = ["--subject", number, *(["--attach", photo] if number % 2 else [])]
        to = ("--to", "ann@b.example", "--to", "bob@b.example") if number % 3 else \
            ("--to", "both@b.example", "--bcc", "bob@b.example")
        path = a.place / "message.ima"
        path.write_bytes(a.message(*to, *words))
        for who in world.random.choices(["server", "sender"], k=world.random.randrange(1, 4)):
            if world.send(path, who) == 0:
                t.equal(f"what was answered OK is there (seed {SEED})",
                        [len(stored(box)) for box in boxes], [number + 1] * 2)
        t.equal(f"message {number} arrives in the end (seed {SEED})", world.send(path, None), 0)
        t.equal(f"one copy each (seed {SEED})", [len(stored(box)) for box in boxes],
                [number + 1] * 2)
    for box in boxes:
        names = stored(box)
        t.equal("no message twice", len(set(names)), len(names))
        photos = [p.read_bytes() == photo.read_bytes() for p in (box / "new").rglob("*photo.jpg")]
        t.equal("attachments whole", photos, [True] * (MESSAGES // 2))
    t.true("somebody was killed", sum(world.killed.values()) >= MESSAGES, world.killed)
    t.equal("an orderly end", world.server.stop(), 0)
