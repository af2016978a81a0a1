#!/usr/bin/env python3
"""How libima's servers stand beside those of the mail that exists, measured in one run:

    benchmarks/peers.py BUILD/tools [--short]

  postfix  messages of 1 kB made durable in a mailbox: ima-source and server-receive, over TLS with
           both certificates, against smtp-source and a Postfix that takes them without TLS and
           delivers to a Maildir
  dovecot  whole messages of 1 kB read through TLS by a client that asks for all of them at once:
           server-post-office against Dovecot with a Maildir

Each line gives the ratio of messages a second, then that of the processor time that the servers
spent on a message. A peer that is not installed is left out, and the line says so. Postfix and
Dovecot want to be started by root; each runs in a directory of its own, on loopback.
"""

import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/programs"))

from harness import Domain, Tests, authority, run  # noqa: E402

SHORT = "--short" in sys.argv
MESSAGES = 500 if SHORT else 5000
CONNECTIONS = 16
SYSTEM = os.environ["PATH"] + ":/usr/sbin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processor_time(root):
    """Seconds that a process and all below it have used, ended children included."""
    parents, used = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = sum(map(int, fields[11:15]))
    family = {root}
    grown = True
    while grown:
        more = {p for p, parent in parents.items() if parent in family and p not in family}
        family |= more
        grown = bool(more)
    return sum(used.get(p, 0) for p in family) / os.sysconf("SC_CLK_TCK")


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Run:
    """Messages a second, and the processor time of a server and its children for each; from the
    making to finish()."""

    def __init__(self, root):
        self.root = root
        self.cpu, self.began = processor_time(root), time.monotonic()
        self.speed = self.cost = 0

    def finish(self, count):
        self.speed = count / (time.monotonic() - self.began)
        self.cost = (processor_time(self.root) - self.cpu) / count
        return self


def show(name, ours, theirs):
    print(f"{name:8} {ours.speed / theirs.speed:6.2f}   cpu {ours.cost / theirs.cost:5.2f}   "
          f"({ours.speed:.0f}/s and {ours.cost * 1e6:.0f} us, against {theirs.speed:.0f}/s and "
          f"{theirs.cost * 1e6:.0f} us)", flush=True)


def wait_until(good, seconds=600):
    end = time.monotonic() + seconds
    while not good():
        if time.monotonic() > end:
            raise RuntimeError("the peer did not come so far")
        time.sleep(0.02)


# --- small messages, made durable

def ima_delivery(t, a, b):
    b.add_user("bob")
    server = b.start("server-receive", sections="[limits]\nconnections-per-peer = 100\n")
    source = t.programs.parent / "benchmarks/ima-source"

    measured = Run(server.process.pid)
    done = run(source, "--ca", a.ca.pem, "--chain", a.chain, "--key", a.key, "--server",
               server.address, "--to", "bob@b.example", "--messages", MESSAGES,
               "--connections", CONNECTIONS, timeout=1800)
    if done.code != 0:
        raise RuntimeError(done.err + done.out)
    measured.finish(MESSAGES)
    server.stop()
    return measured


def postfix_settings(place, port):
    mail = place / "mail"
    for name in ("queue", "data", "mail"):
        (place / name).mkdir(parents=True)
    shutil.chown(place / "data", "postfix")
    shutil.chown(mail, "nobody")
    (place / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {place}/queue
data_directory = {place}/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = smtp.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = smtp.example
virtual_mailbox_base = {mail}
virtual_mailbox_maps = inline:{{{{bob@smtp.example=bob/}}}}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
virtual_destination_recipient_limit = 1
virtual_destination_concurrency_limit = {CONNECTIONS}
initial_destination_concurrency = {CONNECTIONS}
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
maillog_file = {place}/postfix.log
maillog_file_prefixes = {place}
disable_dns_lookups = yes
""")
    (place / "master.cf").write_text(f"""127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
""")
    return mail / "bob/new"


def postfix_delivery(t):
    postfix = shutil.which("postfix", path=SYSTEM)
    source = shutil.which("smtp-source", path=SYSTEM)
    place, port = t.work / "postfix", free_port()
    new = postfix_settings(place, port)
    done = run(postfix, "-c", place, "start", timeout=60)
    if done.code != 0:
        raise RuntimeError(done.err)

    def delivered(count):
        return lambda: new.is_dir() and len(os.listdir(new)) >= count

    def send(count):
        sent = run(source, "-s", CONNECTIONS, "-m", count, "-l", 1000, "-f", "alice@a.example",
                   "-t", "bob@smtp.example", f"127.0.0.1:{port}", timeout=1800)
        if sent.code != 0:
            raise RuntimeError(sent.err)

    try:
        send(CONNECTIONS)  # its processes start
        wait_until(delivered(CONNECTIONS))
        measured = Run(int((place / "queue/pid/master.pid").read_text()))
        send(MESSAGES)
        wait_until(delivered(CONNECTIONS + MESSAGES))
        return measured.finish(MESSAGES)
    finally:
        run(postfix, "-c", place, "stop", timeout=60)


# --- reading

def read_all(root, address, name, alpn, login, request):
    """Logs in; then sends everything else at once and reads until the server closes. What the proof
    of a user costs is no matter of reading, so it is not counted."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    host, port = address.rsplit(":", 1)
    with context.wrap_socket(socket.create_connection((host, int(port))),
                             server_hostname=name) as link:
        link.recv(4096)  # the greeting
        link.sendall(login)
        answer = link.recv(65536)
        if b"OK" not in answer:
            raise RuntimeError(answer)
        measured = Run(root)
        writer = threading.Thread(target=link.sendall, args=(request,))
        writer.start()
        count = 0
        while received := link.recv(1 << 18):
            count += len(received)
        writer.join()
    if count < MESSAGES * 1000:
        raise RuntimeError("not everything came")
    return measured.finish(MESSAGES)


def read_twice(*how):
    """The second time, when the server's index and caches are warm."""
    read_all(*how)
    return read_all(*how)


def ima_reading(b):
    mailbox = b.place / "bob"
    names = sorted(p.name.removesuffix(".ima") for p in (mailbox / "new").iterdir())
    office = b.start("server-post-office")
    login = b"AUTH bob PASSWORD 13\ncorrect horse"
    ids = [names[i:i + 100] for i in range(0, len(names), 100)]
    request = b"CHANGES inbox 0 1\n" + b"".join(
        f"HEADERS inbox {' '.join(some)}\n".encode() + b"".join(
            f"FETCH inbox {one} 1 0 4096\n".encode() for one in some) for some in ids) + b"DONE\n"
    measured = read_twice(office.process.pid, office.address, "b.example", "imrp", login, request)
    office.stop()
    return measured


def dovecot_settings(place, b, port):
    maildir = place / "mail"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    for i in range(MESSAGES):
        (maildir / "cur" / f"{1700000000 + i}.M{i}P1.b:2,").write_text(
            f"From: Alice <alice@a.example>\nTo: Bob <bob@b.example>\nSubject: {i}\n"
            "Date: Mon, 23 Nov 2026 09:30:00 +0000\nMessage-ID: <" + f"{i}@a.example>\n\n"
            + ("x" * 79 + "\n") * 12 + "\n")
    for path in [maildir, *maildir.rglob("*")]:
        shutil.chown(path, "nobody", "nogroup")
    (place / "passwd").write_text("bob:{PLAIN}correct-horse\n")
    config = place / "dovecot.conf"
    config.write_text(f"""base_dir = {place}/run
state_dir = {place}/state
log_path = {place}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_min_protocol = TLSv1.3
ssl_cert = <{b.chain}
ssl_key = <{b.key}
mail_location = maildir:{maildir}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = {place}/passwd
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={place}/home
}}
service imap-login {{
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
""")
    return config


def dovecot_reading(t, b):
    dovecot = shutil.which("dovecot", path=SYSTEM)
    place, port = t.work / "dovecot", free_port()
    (place / "home").mkdir(parents=True)
    shutil.chown(place / "home", "nobody", "nogroup")
    config = dovecot_settings(place, b, port)
    with subprocess.Popen([dovecot, "-F", "-c", config]) as master:
        try:
            wait_until(lambda: answers(port), 30)
            return read_twice(master.pid, f"127.0.0.1:{port}", "b.example", None,
                            b"1 LOGIN bob correct-horse\r\n",
                            b"2 SELECT INBOX\r\n3 FETCH 1:* BODY.PEEK[]\r\n4 LOGOUT\r\n")
        finally:
            master.terminate()


with Tests() as tests:
    tests.checks = 1  # this measures, and judges nothing
    tests.work.chmod(0o755)  # the peers' processes are other users
    ca = authority(tests.work)
    sender, receiver = Domain(tests, ca, "a.example"), Domain(tests, ca, "b.example")
    mine = ima_delivery(tests, sender, receiver)
    if shutil.which("postfix", path=SYSTEM):
        show("postfix", mine, postfix_delivery(tests))
    else:
        print("postfix  is not installed")
    if shutil.which("dovecot", path=SYSTEM):
        show("dovecot", ima_reading(receiver), dovecot_reading(tests, receiver))
    else:
        print("dovecot  is not installed")
