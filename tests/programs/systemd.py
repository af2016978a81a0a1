"""The units of examples/systemd are well formed, as tight as they claim, and allow what the servers do:
every system call of a real delivery, a queued one and a real fetch is held against the unit's filter."""

import os
import pathlib
import re
import shutil
import signal
import sys

from harness import Domain, QueueRunner, Tests, authority, run

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

    # The runner finds a message that could not be sent.
    queue = '[queue]\npath = "queue"\nfirst-retry = "1s"\n'
    sent = a.send(a.message("--to", "bob@b.example", text="later\n"),
                  hosts={"b.example": "127.0.0.1:1"}, sections=queue)
    t.contains("queued", sent.out, "QUEUED bob@b.example")
    runner = QueueRunner(t, a.write("run.toml", a.send_settings(sections=queue)),
                         wrapper("server-send-mail"))
    t.true("delivered from the queue", runner.wait_for("queue-result .*=bob@b.example result=OK"),
           runner.text())

    for server in (*b.servers.values(), runner):
        server.signal(signal.SIGHUP)
        t.true("reloaded", server.wait_for(" reloaded "), server.text())
        t.equal("stopped", server.stop(), 0)

    for unit, program in (("ima-receive", "server-receive"),
                          ("ima-post-office", "server-post-office"),
                          ("ima-queue", "server-send-mail")):
        settings = settings_of(UNITS / f"{unit}.service")
        # What comes before the program runs is systemd's own.
        trace = traces[program].read_text(errors="replace").partition("execve(")[2]
        used = set(re.findall(r"^\d+ +(\w+)\(", trace, re.M))
        t.true(f"{program}: a trace", {"recvmsg", "fsync", "fdatasync"} & used, used)
        t.equal(f"{program}: system calls that its unit forbids",
                sorted(used - allowed_calls(settings) - SQLITE_AS_ROOT), [])
        families = set(re.findall(r"^\d+ +socket\((AF_\w+)", trace, re.M))
        t.equal(f"{program}: families that its unit forbids",
                sorted(families - set(settings["RestrictAddressFamilies"][0].split())), [])
        t.equal(f"{program}: memory to write and run",
                re.findall(r".*PROT_WRITE\|PROT_EXEC.*", trace), [])
        t.equal(f"{program}: programs that it starts", re.findall(r"\bexecve\(.*", trace), [])
        t.equal(f"{program}: where it runs from", settings["ExecStart"][0].split()[0],
                settings["ExecPaths"][0].split()[0])
