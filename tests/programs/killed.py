"""killed.py PROGRAMS: the receiver, the sender, and the sender with a queue are killed at each call by
which they use a file or the network; sent again, the message is there once for each recipient.

The calls are those that strace sees in an undisturbed run, from the moment when the program waits for
its first octets. The short run takes one of each kind.
"""

import collections
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

from harness import FULL, Domain, Tests, authority, run, stored

# strace counts each thread's calls by themselves, so that one thread's third write can stand before
# another's: flock and pread64 are here as the neighbours of such.
CALLS = ("openat,mkdir,write,pwrite64,fsync,fdatasync,ftruncate,link,linkat,rename,renameat2,unlink,"
         "unlinkat,rmdir,flock,pread64,connect,sendto,recvfrom")
QUEUE = '[queue]\npath = "queue"\nfirst-retry = "1s"\nlongest-retry = "1s"\n'
SEED = int(os.environ.get("IMA_SEED", "0")) or random.randrange(1, 1 << 32)


def steps_of(listing):
    """The calls of a listing: pairs of a name and the number which it is in its thread."""
    seen, found = collections.Counter(), []
    for line in listing.read_text(errors="replace").splitlines():
        call = re.match(r"(\d+) +(\w+)\(", line)
        if call is None:
            continue  # the end of a call that another interrupted, or of a thread
        seen[call.groups()] += 1
        step = call.group(2), seen[call.groups()]
        if step not in found:
            found.append(step)
    return found


def chosen(steps, chance):
    if FULL:
        return steps
    kinds = sorted({call for call, _ in steps})
    return [chance.choice([s for s in steps if s[0] == kind]) for kind in kinds]


class Traced:
    """strace on a running process; it has begun when this is made."""

    def __init__(self, pid, listing, step=None):
        inject = [] if step is None else ["-e", "inject={}:signal=SIGKILL:when={}".format(*step)]
        self.process = subprocess.Popen(
            ["strace", "-f", "-o", str(listing), "-e", f"trace={CALLS}", *inject, "-p", str(pid)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.begun = "attached" in self.process.stderr.readline()

    def end(self):
        self.process.terminate()
        self.wait()

    def wait(self):
        """For its end, which some straces never come to when a program of several threads is killed."""
        try:
            self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


def may_trace():
    with subprocess.Popen(["sleep", "60"]) as other:
        traced = Traced(other.pid, os.devnull)
        traced.end()
        other.kill()
        return traced.begun


class World:
    """Two domains, and messages from one to two users of the other."""

    def __init__(self, t):
        self.t, self.listing = t, t.work / "calls"
        ca = authority(t.work)
        self.a, self.b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
        self.boxes = [self.b.add_user("ann"), self.b.add_user("bob")]
        self.photo = self.a.place / "photo.jpg"
        self.photo.write_bytes(os.urandom(200_000))
        self.messages, self.killed, self.chance = 0, 0, random.Random(SEED)
        self.start()

    def start(self):
        self.server = self.b.start("server-receive", top="workers = 1")

    def message(self, photo):
        self.messages += 1
        return self.a.message("--to", "ann@b.example", "--to", "bob@b.example", "--subject",
                              self.messages, *(["--attach", self.photo] if photo else []))

    def copies(self):
        return [len(stored(box)) for box in self.boxes]

    def revive(self):
        """Starts the receiver again if it was killed; how often that is by now. It may take it a moment
        to end after it was killed."""
        if self.server.process.poll() is not None:
            self.t.equal("nothing else ends it", self.server.process.returncode, -signal.SIGKILL)
            self.killed += 1
            self.start()
        return self.killed

    def send_in_the_end(self, message, **settings):
        """Sends until it is not deferred: what was lost may still be in hand."""
        code = 75
        while code == 75:
            self.revive()
            code = self.a.send(message, hosts=self.b.hosts, **settings).code
        return code

    def arrived(self, what):
        self.t.equal(f"one copy each, {what} (seed {SEED})", self.copies(), [self.messages] * 2)


def receiver(world, photo):
    """The receiver is killed at each step."""
    t = world.t
    traced = Traced(world.server.process.pid, world.listing)
    t.equal("undisturbed", world.send_in_the_end(world.message(photo)), 0)
    traced.end()
    steps = chosen(steps_of(world.listing), world.chance)
    before = world.killed
    for step in steps:
        traced = Traced(world.server.process.pid, os.devnull, step)
        message = world.message(photo)
        if world.a.send(message, hosts=world.b.hosts).code == 0:
            world.arrived(f"as was answered, {step}")
        traced.end()
        t.equal(f"sent again after {step}", world.send_in_the_end(message), 0)
        world.arrived(f"receiver killed at {step}")
    enough(t, "the receiver", world.revive() - before, steps)


def waits_for_input(pid):
    """Until it reads its standard input, or a copy of it."""
    proc = pathlib.Path(f"/proc/{pid}")
    for _ in range(1000):
        call = (proc / "syscall").read_text().split()
        if call[0] == "0" and os.path.samefile(proc / "fd" / str(int(call[1], 16)), proc / "fd/0"):
            return
        time.sleep(0.01)
    raise RuntimeError("it does not read")


def send_traced(program, message, listing, step=None):
    """Runs the sender; its exit code."""
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        waits_for_input(process.pid)
        traced = Traced(process.pid, listing, step)
        with contextlib.suppress(BrokenPipeError):
            try:
                process.communicate(message, timeout=60)
            except subprocess.TimeoutExpired:  # dead, and strace does not take it for that
                traced.process.kill()
                process.communicate()
        traced.wait()
        return process.returncode


def sender(world, photo, sections=""):
    """The sender is killed at each step."""
    t = world.t
    config = world.a.write("killed.toml", world.a.send_settings(world.b.hosts, sections=sections))
    program = [str(t.program("server-send-mail")), "--config", str(config)]
    for _ in range(2):  # the first makes the queue
        t.equal("undisturbed", send_traced(program, world.message(photo), world.listing), 0)
    steps = chosen(steps_of(world.listing), world.chance)
    killed = 0
    for step in steps:
        message = world.message(photo)
        code = send_traced(program, message, os.devnull, step)
        killed += code == -signal.SIGKILL
        if code == 0 and not sections:
            world.arrived(f"as was answered, {step}")
        t.equal(f"sent again after {step}", world.send_in_the_end(message, sections=sections), 0)
        if sections:
            emptied(t, world.a.place / "queue", program)
        world.arrived(f"sender killed at {step}")
    enough(t, "the sender", killed, steps)


def emptied(t, queue, program):
    for _ in range(200):
        run(*program, "--run-queue", "--once")
        if not any((queue / "entries").iterdir()):
            break
    t.equal("the queue empties", list((queue / "entries").iterdir()), [])


def enough(t, who, killed, steps):
    """Threads share the work in another way now and then, so that a call is not made that was seen."""
    t.true(f"{who} was killed", killed >= len(steps) * 2 // 3, (killed, steps))


with Tests() as tests:
    if shutil.which("strace") is None:
        raise RuntimeError("strace is needed")
    if not may_trace():
        print("skipped: strace may trace nothing here")
        sys.exit(77)
    world = World(tests)
    for with_photo in (True, False):
        receiver(world, with_photo)
    for queue in ("", QUEUE):
        sender(world, True, queue)
    tests.equal("an orderly end", world.server.stop(), 0)
