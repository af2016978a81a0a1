"""How fast mail moves, as ratios to what the machine itself can do, measured in one run.

    PYTHONPATH=tests/programs python3 benchmarks/delivery.py BUILD/tools [--short] [small] [bulk] [queue]

Prints these lines, those of `queue` together:

  small   messages of 1 kB made durable by server-receive, over durable files that one thread makes
          on the same disk (create, write, sync, rename, sync the directory), per second
  bulk    octets of a large body through ima-source and ima-sink, over those that openssl's own
          s_client and s_server move through TLS, per second
  queue   time to queue and deliver messages to a host that has answered before, with ten thousand
          queued for hosts that are dead and are being tried, over the time with none; a resolver
          that never answers stands for the dead
  new     the same for the first message to a host that nobody knows yet
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time

from harness import Domain, Tests, authority, run

SHORT = "--short" in sys.argv
MESSAGES = 200 if SHORT else 3000
BULK = (64 if SHORT else 512) << 20
DEAD = 500 if SHORT else 10_000
LIVE = 50 if SHORT else 300


def per_second(text):
    found = re.search(r"messages=(\d+) octets=(\d+) seconds=([0-9.]+)", text)
    if not found:
        raise RuntimeError(text)
    count, octets, seconds = int(found[1]), int(found[2]), float(found[3])
    return count / seconds, octets / seconds


def durable_files(place, count):
    """One thread makes files durable, one after the other; how many a second."""
    place.mkdir()
    directory = os.open(place, os.O_RDONLY)
    text = b"x" * 1300
    began = time.monotonic()
    for i in range(count):
        fd = os.open(place / "tmp", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        os.write(fd, text)
        os.fsync(fd)
        os.close(fd)
        os.rename(place / "tmp", place / str(i))
        os.fsync(directory)
    return count / (time.monotonic() - began)


class Bench:
    def __init__(self, t):
        self.t = t
        self.tools = t.programs.parent / "benchmarks"
        self.ca = authority(t.work)
        self.a, self.b = Domain(t, self.ca, "a.example"), Domain(t, self.ca, "b.example")

    def identity(self, domain):
        return ["--ca", self.ca.pem, "--chain", domain.chain, "--key", domain.key]

    def source(self, *words):
        done = run(self.tools / "ima-source", *self.identity(self.a), *words, timeout=1800)
        if done.code != 0:
            raise RuntimeError(done.err + done.out)
        return per_second(done.out)

    def small(self):
        self.b.add_user("bob")
        server = self.b.start("server-receive",
                              sections="[limits]\nconnections-per-peer = 100\n")
        mail, _ = self.source("--server", server.address, "--to", "bob@b.example", "--messages",
                              MESSAGES, "--connections", 16)
        server.stop()
        files = durable_files(self.t.work / "raw", MESSAGES // 2)
        print(f"small  {mail / files:6.2f}   ({mail:.0f} messages/s over {files:.0f} files/s)",
              flush=True)

    def bulk(self):
        sink = subprocess.Popen([self.tools / "ima-sink", *map(str, self.identity(self.b))],
                                stdout=subprocess.PIPE, text=True)
        try:
            address = sink.stdout.readline().strip()
            _, mail = self.source("--server", address, "--messages", 1, "--size", BULK)
        finally:
            sink.kill()
            sink.wait()
        limit = self.tls_limit()
        print(f"bulk   {mail / limit:6.2f}   ({mail / 1e6:.0f} MB/s over {limit / 1e6:.0f} MB/s)",
              flush=True)

    def tls_limit(self):
        """Octets a second through openssl's own TLS, on loopback."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_3", "-quiet", "-naccept",
             "1", "-cert", self.b.chain, "-key", self.b.key], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-quiet",
             "-no_ign_eof"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        piece = b"x" * (1 << 20)
        began = time.monotonic()
        for _ in range(BULK >> 20):
            client.stdin.write(piece)
        client.stdin.close()
        client.wait()
        server.wait(60)
        return BULK / (time.monotonic() - began)

    def queue(self):
        first_alone, alone, _ = self.live_host("empty", 0)
        first, crowded, events = self.live_host("crowded", DEAD)
        print(f"queue  {crowded / alone:6.2f}   ({LIVE} messages in {crowded:.2f} s with {DEAD} for "
              f"dead hosts, in {alone:.2f} s without; {events} dead ones were given up for now)",
              flush=True)
        print(f"new    {first / first_alone:6.2f}   (one message in {first:.2f} s, in "
              f"{first_alone:.2f} s without)", flush=True)

    def deliver(self, queue, count, dead, log):
        """Queues messages for the live host; the seconds until they are gone."""
        began = time.monotonic()
        self.source("--queue", queue, "--messages", count, "--size", 100)
        while len(os.listdir(queue / "entries")) > dead:
            if time.monotonic() - began > 600:
                raise RuntimeError(log.read_text()[-2000:])
            time.sleep(0.02)
        return time.monotonic() - began

    def live_host(self, name, dead):
        sink = subprocess.Popen([self.tools / "ima-sink", *map(str, self.identity(self.b))],
                                stdout=subprocess.PIPE, text=True)
        deaf = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        deaf.bind(("127.0.0.1", 0))
        address = sink.stdout.readline().strip()
        queue = self.a.place / name
        if dead:
            self.source("--queue", queue, "--messages", dead, "--spread", "--size", 100)
        config = self.a.write(name + ".toml", self.a.send_settings(
            {"b.example": address},
            sections=f'[queue]\npath = "{queue}"\n[dns]\nservers = '
                     f'["127.0.0.1:{deaf.getsockname()[1]}"]\n'))
        log = self.a.place / (name + ".log")
        with open(log, "wb") as file:
            runner = subprocess.Popen([str(self.t.program("server-send-mail")), "--config",
                                       str(config), "--run-queue"], stderr=file)
        try:
            time.sleep(2)  # it is up, and all its connections are with the dead
            first = self.deliver(queue, 1, dead, log)  # from now on the host is known to live
            seconds = self.deliver(queue, LIVE, dead, log)
        finally:
            runner.send_signal(signal.SIGKILL)
            runner.wait()
            sink.kill()
            sink.wait()
            deaf.close()
        return first, seconds, log.read_text().count("DEFER")


with Tests() as tests:
    tests.checks = 1  # this measures, and judges nothing
    bench = Bench(tests)
    wanted = [word for word in sys.argv[2:] if not word.startswith("-")]
    for name in wanted or ("small", "bulk", "queue"):
        getattr(bench, name)()
