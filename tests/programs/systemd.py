"""The units of examples/systemd are well formed, as tight as they claim, and allow what the servers do:
every system call of a real delivery, by the built-in handler and by commands, of a queued one whose host
is found by the DNS, and of a real fetch is held against the unit's filter."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

from harness import Domain, QueueRunner, Server, Tests, authority, run

UNITS = pathlib.Path(sys.argv[0]).resolve().parents[2] / "examples" / "systemd"
EXPOSURE = {"ima-receive": 12, "ima-post-office": 12, "ima-queue": 12}  # in tenths, without drop-ins
# SQLite gives the files that it makes to their directory's owner, but only where root runs it.
SQLITE_AS_ROOT = {"fchown"} if os.geteuid() == 0 else set()

if not shutil.which("systemd-analyze"):
    print("there is no systemd here")
    sys.exit(77)


def settings_of(unit):
    """The [Service] settings of a unit, each with its lines."""
    settings = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            settings.setdefault(name, []).append(value)
    return settings


def with_drop_in(settings, more):
    """The settings with those of a drop-in, where an empty one takes back what stood before it."""
    merged = dict(settings)
    for name, lines in more.items():
        for line in lines:
            merged[name] = [*merged.get(name, []), line] if line else []
    return merged


def call_sets():
    """The system call sets that systemd knows, by name, without their comments."""
    sets, name = {}, None
    for line in run("systemd-analyze", "syscall-filter").out.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif name and line.strip() and not line.strip().startswith("#"):
            sets[name].append(line.strip())
    return sets


def calls_in(name, sets):
    if not name.startswith("@"):
        return {name}
    return set().union(*(calls_in(inner, sets) for inner in sets[name]))


def allowed_calls(settings):
    sets, allowed = call_sets(), set()
    for value in settings["SystemCallFilter"]:
        words = set().union(*(calls_in(w, sets) for w in value.lstrip("~").split()))
        allowed = allowed - words if value.startswith("~") else allowed | words
    return allowed


class NameServer:
    """dnsmasq on a free port, which knows where the host of b.example is."""

    def __init__(self, t, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        t.started(subprocess.Popen(
            [shutil.which("dnsmasq", path=f"{os.environ['PATH']}:/usr/sbin"), "--keep-in-foreground",
             "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--user=",
             "--pid-file=", "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={self.port}",
             "--local=/example/", f"--srv-host=_imdp._tcp.b.example,host.b.example,{port}",
             "--host-record=host.b.example,127.0.0.1"], stderr=subprocess.DEVNULL))
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("dnsmasq does not start")


def calls_of(trace):
    """What a program did; what comes before it runs is systemd's own."""
    return trace.read_text(errors="replace").partition("execve(")[2]


def check_filter(t, program, trace, settings):
    used = set(re.findall(r"^\d+ +(\w+)\(", trace, re.M))
    t.true(f"{program}: a trace", {"recvmsg", "fsync", "fdatasync"} & used, used)
    t.equal(f"{program}: system calls that its unit forbids",
            sorted(used - allowed_calls(settings) - SQLITE_AS_ROOT), [])
    families = set(re.findall(r"^\d+ +socket\((AF_\w+)", trace, re.M))
    t.equal(f"{program}: families that its unit forbids",
            sorted(families - set(" ".join(settings["RestrictAddressFamilies"]).split())), [])


with Tests() as t:
    # As they are installed, but for where the programs are.
    place = t.work / "units"
    place.mkdir()
    for unit in UNITS.glob("*.service"):
        text = unit.read_text().replace("/usr/local/bin/server-", f"{t.programs}/server-")
        (place / unit.name).write_text(text)
        done = run("systemd-analyze", "verify", "--man=no", place / unit.name)
        t.equal(f"{unit.name} is well formed", (done.code, done.err), (0, ""))
        limit = EXPOSURE.pop(unit.stem)
        done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={limit}",
                   place / unit.name)
        t.true(f"{unit.name} is tight", done.code == 0, done.out[-200:])
    t.equal("every unit was looked at", EXPOSURE, {})
    for folder in UNITS.glob("*.service.d"):
        shutil.copytree(folder, place / folder.name)
        done = run("systemd-analyze", "verify", "--man=no", place / folder.stem)
        t.equal(f"{folder.name} is well formed", (done.code, done.err), (0, ""))

    if not shutil.which("strace"):
        sys.exit(0 if t.failures == 0 else 1)

    ca = authority(t.work)
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    b.add_user("bob")
    traces = {}

    def wrapper(program):
        traces[program] = t.work / f"{program}.trace"
        # -D: the tracer stands aside, so that signals go to the server.
        return ("strace", "-D", "-f", "-qq", "-o", str(traces[program]))

    for program in ("server-receive", "server-post-office"):
        b.start(program, wrapper=wrapper(program))
    t.equal("delivered", a.send(a.message("--to", "bob@b.example")).out, "OK bob@b.example\n")
    t.equal("fetched", b.fetch("bob", t.work / "copy").code, 0)

    # With commands, of which one is a script.
    shipped = f'"{t.program("server-handle-incoming-mail")}", "--config", "{b.place}/handle.toml"'
    b.write("handle.toml", b.receive_settings().partition("[tls]")[0].partition("\n")[2])
    by_commands = Server(t, "server-receive", b.write("commands.toml", (
        f'listen = ["127.0.0.1:0"]\nhandler = [{shipped}]\ncheck-command = [{shipped}, "--check"]\n'
        f'policy-command = ["/bin/sh", "-c", "grep -q ^from: && ls / | sort >/dev/null"]\n{b.tls()}')),
        wrapper=wrapper("commands"))
    t.equal("delivered by commands", a.send(a.message("--to", "bob@b.example", text="command\n"),
                                            hosts={"b.example": by_commands.address}).out,
            "OK bob@b.example\n")

    # The runner finds a message that could not be sent, and its host by the DNS.
    queue = '[queue]\npath = "queue"\nfirst-retry = "1s"\n'
    sent = a.send(a.message("--to", "bob@b.example", text="later\n"),
                  hosts={"b.example": "127.0.0.1:1"}, sections=queue)
    t.contains("queued", sent.out, "QUEUED bob@b.example")
    dns = NameServer(t, b.servers["server-receive"].port)
    runner = QueueRunner(t, a.write("run.toml", a.send_settings(
        {}, sections=f'{queue}[dns]\nservers = ["127.0.0.1:{dns.port}"]\n')), wrapper("server-send-mail"))
    t.true("delivered from the queue", runner.wait_for("queue-result .*=bob@b.example result=OK"),
           runner.text())

    for server in (*b.servers.values(), by_commands, runner):
        server.signal(signal.SIGHUP)
        t.true("reloaded", server.wait_for(" reloaded "), server.text())
        t.equal("stopped", server.stop(), 0)

    for unit, program in (("ima-receive", "server-receive"),
                          ("ima-post-office", "server-post-office"),
                          ("ima-queue", "server-send-mail")):
        settings = settings_of(UNITS / f"{unit}.service")
        trace = calls_of(traces[program])
        check_filter(t, program, trace, settings)
        t.equal(f"{program}: memory to write and run",
                re.findall(r".*PROT_WRITE\|PROT_EXEC.*", trace), [])
        t.equal(f"{program}: programs that it starts", re.findall(r"\bexecve\(.*", trace), [])
        t.equal(f"{program}: where it runs from", settings["ExecStart"][0].split()[0],
                settings["ExecPaths"][0].split()[0])

    settings = with_drop_in(settings_of(UNITS / "ima-receive.service"),
                            settings_of(UNITS / "ima-receive.service.d" / "commands.conf"))
    trace = calls_of(traces["commands"])
    t.true("programs were started", len(re.findall(r"\bexecve\(", trace)) >= 4)
    t.equal("and may be", (settings["NoExecPaths"], settings["ExecPaths"]), ([], []))
    check_filter(t, "commands", trace, settings)
