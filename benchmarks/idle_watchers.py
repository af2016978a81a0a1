#!/usr/bin/env python3
"""How much memory, and how many files, a post office needs for each connection that watches and waits,
and how soon a change reaches all of them:

    benchmarks/idle_watchers.py BUILD/tools [CONNECTIONS [USERS]]

By default ten thousand connections of one user, all of whom the change concerns. With more users, each
with a mailbox of his own, it concerns those of the first.
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


def files(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def settle(pid):
    """Waits until what was opened for requests is closed again."""
    counts = [0, files(pid)]
    while counts[-1] != counts[-2]:
        time.sleep(4)
        counts.append(files(pid))


def main(t, count, users):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    chain, key = ca.certificate(b.place / "client", ["bob"], usage="clientAuth")
    names = [f"bob{n}" for n in range(users)]
    boxes = [b.add_user(name) for name in names]
    for name in names:
        b.admin("user", "certificate", name, "--users", b.place / "users.toml", "--add", chain)
    server = b.start("server-post-office",
                     sections=f"[limits]\nconnections = {count + 10}\n"
                              f"connections-per-peer = {count + 10}\n")
    context = ssl.create_default_context(cafile=str(ca.pem))
    context.set_alpn_protocols(["imrp"])
    context.load_cert_chain(chain, key)
    logins = [f"AUTH {name} CERTIFICATE\nWATCH inbox 0\n".encode() for name in names]
    links = [connect(server.address, context, logins[0]) for _ in range(10)]
    pid = server.process.pid
    settle(pid)
    before, open_before = resident(pid), files(pid)
    links += [connect(server.address, context, logins[n % users]) for n in range(count)]
    settle(pid)
    after, open_after = resident(pid), files(pid)
    told_of = [link for n, link in enumerate(links) if n < 10 or (n - 10) % users == 0]
    given = run(t.program("server-give-recipient"), boxes[0], "-", "bob0@b.example",
                stdin=b.message("--to", "bob0@b.example"))
    began = time.monotonic()
    t.equal("a message comes", given.code, 0)
    told = sum(link.recv(4096).startswith(b"EVENT inbox ") for link in told_of)
    print(f"{count} watching connections of {users} users: {(after - before) // count} octets of memory "
          f"and {(open_after - open_before) / count:.1f} files each; "
          f"{told} of {len(told_of)} told after {time.monotonic() - began:.2f} s")
    t.equal("all are told", told, len(told_of))


with Tests() as tests:
    main(tests, int(sys.argv[2]) if len(sys.argv) > 2 else 10_000,
         int(sys.argv[3]) if len(sys.argv) > 3 else 1)
