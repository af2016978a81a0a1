#!/usr/bin/env python3
"""How much memory a post office needs for each connection that watches and waits, and how soon a change
reaches all of them:

    benchmarks/idle_watchers.py BUILD/tools [CONNECTIONS]
"""

import pathlib
import resource
import socket
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/programs"))

from harness import Domain, Tests, authority, run  # noqa: E402


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def connect(address, context, login):
    host, port = address.rsplit(":", 1)
    link = context.wrap_socket(socket.create_connection((host, int(port))),
                               server_hostname="b.example")
    link.sendall(login)
    received = b""
    while received.count(b"\n") < 3:  # the greeting and two OKs
        received += link.recv(4096)
    if received.count(b"\nOK") != 2:
        raise RuntimeError(received)
    return link


def main(t, count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    chain, key = ca.certificate(b.place / "bob.client", ["bob"], usage="clientAuth")
    b.admin("user", "certificate", "bob", "--users", b.place / "users.toml", "--add", chain)
    server = b.start("server-post-office",
                     sections=f"[limits]\nconnections = {count + 10}\n"
                              f"connections-per-peer = {count + 10}\n")
    context = ssl.create_default_context(cafile=str(ca.pem))
    context.set_alpn_protocols(["imrp"])
    context.load_cert_chain(chain, key)
    login = b"AUTH bob CERTIFICATE\nWATCH inbox 0\n"
    links = [connect(server.address, context, login) for _ in range(10)]
    before = resident(server.process.pid)
    links += [connect(server.address, context, login) for _ in range(count)]
    time.sleep(1)
    after = resident(server.process.pid)
    given = run(t.program("server-give-recipient"), bob, "-", "bob@b.example",
                stdin=b.message("--to", "bob@b.example"))
    began = time.monotonic()
    t.equal("a message comes", given.code, 0)
    told = sum(link.recv(4096).startswith(b"EVENT inbox ") for link in links)
    print(f"{count} watching connections: {(after - before) // count} octets of memory each; "
          f"{told} of {len(links)} told after {time.monotonic() - began:.2f} s")
    t.equal("all are told", told, len(links))


with Tests() as tests:
    main(tests, int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
