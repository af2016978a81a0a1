"""What the tests of the programs have in common: certificates, domains, servers, results.

A test is a script that is given the directory of the built programs:

    from harness import Domain, Tests, authority, run

    with Tests() as t:
        ca = authority(t.work)
        a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
        b.add_user("bob")
        b.start("server-receive")
        t.equal("delivered", a.send(a.message("--to", "bob@b.example")).out, "OK bob@b.example\\n")

Everything lives in a temporary directory, listens on loopback with ports that the kernel chooses,
and ends with the script. Python's standard library and openssl are all that is needed.
"""

import contextlib
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FULL = os.environ.get("IMA_FULL") == "true"  # the long runs too


class Result:
    """How a program ended: its exit code, and what it wrote."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def lines(self):
        return self.out.splitlines()


def run(*words, stdin=b"", cwd=None, env=None, timeout=120):
    """Runs a command to its end. What it writes is decoded; what it reads may be octets."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    done = subprocess.run([str(w) for w in words], input=stdin, cwd=cwd, timeout=timeout,
                          env=None if env is None else {**os.environ, **env},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    done.stdout = done.stdout.decode(errors="backslashreplace")
    done.stderr = done.stderr.decode(errors="backslashreplace")
    return Result(done)


def run_on_terminal(*words):
    """Runs a command whose standard error is a terminal; what it writes, and what that got."""
    terminal, inside = pty.openpty()
    with subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, stderr=inside,
                          text=True) as child:
        os.close(inside)
        drawn = b""
        while True:
            try:
                drawn += os.read(terminal, 65536)
            except OSError:  # so does a terminal end
                break
        os.close(terminal)
        return child.communicate()[0], drawn


def documented_events():
    """The keys of each event of the log, by docs/operating.md."""
    guide = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operating.md"
    found = {}
    for line in guide.read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and re.match("debug|info|warning|error", cells[2]):
            for event in re.findall("`([a-z-]+)`", cells[1]):
                found.setdefault(event, set()).update(re.findall("[a-z]+", cells[3]))
    return found


class Tests:
    """Counts what was expected and not found; cleans up; gives the script its exit code."""

    def __init__(self):
        self.failures = 0
        self.checks = 0
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="ima-test-"))
        self.programs = pathlib.Path(sys.argv[1]).resolve()
        os.environ["XDG_CACHE_HOME"] = str(self.work / "cache")  # where hosts keep indexes
        self._running = []

    def __enter__(self):
        return self

    def __exit__(self, kind, what, trace):
        for server in self._running:
            server.kill()
        if kind is None:
            self._check_logs()
        if (kind is not None or self.failures) and not os.environ.get("IMA_KEEP"):
            for log in sorted(self.work.rglob("*.log")):
                text = log.read_text(errors="backslashreplace")
                print(f"--- {log.relative_to(self.work)}\n{text[-4000:]}", file=sys.stderr)
        if os.environ.get("IMA_KEEP"):
            print(f"kept: {self.work}", file=sys.stderr)
        else:
            shutil.rmtree(self.work, ignore_errors=True)
        if kind is None:
            if self.checks == 0:
                print("nothing was checked", file=sys.stderr)
                sys.exit(1)
            sys.exit(1 if self.failures else 0)

    def _check_logs(self):
        """The guide has each event that a program logged, with its keys; debug is for developers."""
        known = documented_events()
        for log in self.work.rglob("*.log"):
            for line in log.read_text(errors="backslashreplace").splitlines():
                event = re.match(r"\d{4}-\d\d-\d\dT[\d:]+Z (?:info|warning|error) ([a-z-]+)(.*)", line)
                if event is None:
                    continue
                keys = set(re.findall(r" ([a-z]+)=", re.sub(r'"(?:[^"\\]|\\.)*"', '""', event[2])))
                strange = sorted(keys - known.get(event[1], set()))
                if event[1] not in known or strange:
                    self.true(f"docs/operating.md explains {event[1]}", False, strange)

    def program(self, name):
        return self.programs / name

    def true(self, what, good, found=""):
        self.checks += 1
        if good:
            return
        self.failures += 1
        print(f"FAIL {what}: {found}", file=sys.stderr)

    def equal(self, what, found, wanted):
        self.true(what, found == wanted, f"wanted {wanted!r}, found {found!r}")

    def contains(self, what, text, part):
        self.true(what, part in text, f"no {part!r} in {text!r}")

    def started(self, process):
        """Has a server ended with the script."""
        self._running.append(process)
        return process


class NotStarted(RuntimeError):
    """A server that did not say where it listens; `code` is what it ended with, if it did."""

    def __init__(self, server):
        super().__init__(f"{server.name} did not start: {server.log.read_text()}")
        self.code = server.process.poll()


class Server:
    """A running server that says on its log where it listens."""

    def __init__(self, tests, name, config, env=None, wrapper=(), words=()):
        self.log = config.with_suffix(".log")
        self.name = name
        with open(self.log, "ab") as log:
            start = log.tell()
            self.process = subprocess.Popen(
                [*wrapper, str(tests.program(name)), "--config", str(config), *words],
                stderr=log, stdin=subprocess.DEVNULL,
                env=None if env is None else {**os.environ, **env})
        tests.started(self)
        self.addresses = []
        self.address = self._wait_for_address(start)

    def _wait_for_address(self, start):
        for _ in range(600):
            text = self.log.read_bytes()[start:].decode(errors="backslashreplace")
            self.addresses = re.findall(r" listening address=(\S+)", text)
            if self.addresses:
                return self.addresses[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise NotStarted(self)

    @property
    def port(self):
        return int(self.address.rsplit(":", 1)[1])

    def text(self):
        return self.log.read_text(errors="backslashreplace")

    def wait_for(self, pattern, seconds=30):
        """Waits until a line of the log matches; returns the match, or None."""
        for _ in range(seconds * 20):
            found = re.search(pattern, self.text())
            if found:
                return found
            time.sleep(0.05)
        return None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Asks it to end; returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def kill(self):
        """At once, as a power cut would."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)


class QueueRunner(Server):
    """server-send-mail --run-queue, which listens nowhere."""

    def __init__(self, tests, config, wrapper=()):
        super().__init__(tests, "server-send-mail", config, wrapper=wrapper, words=["--run-queue"])

    def _wait_for_address(self, start):
        return None


class Authority:
    """A certificate authority of its own, and what it signs."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.pem, self.key = self.directory / "ca.pem", self.directory / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=Test authority", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key, "-out", self.pem)

    def certificate(self, place, names=(), subject="/CN=test", usage="serverAuth", days="2",
                    extensions=(), key=None):
        """Makes PLACE.pem and PLACE.key for the DNS names; returns both paths. With KEY, a file,
        the certificate is for that key."""
        place = pathlib.Path(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        chain, own = place.with_name(place.name + ".pem"), key or place.with_name(place.name + ".key")
        lines = ["basicConstraints=CA:false", *extensions]
        if names:
            lines.append("subjectAltName=" + ",".join(f"DNS:{n}" for n in names))
        if usage:
            lines.append(f"extendedKeyUsage={usage}")
        request, extras = place.with_suffix(".csr"), place.with_suffix(".ext")
        extras.write_text("\n".join(lines) + "\n")
        fresh = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", own)
        openssl("req", "-new", *(("-key", key) if key else fresh), "-subj", subject, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-days", days,
                "-set_serial", str(int.from_bytes(os.urandom(8), "big")), "-extfile", extras,
                "-out", chain)
        return chain, own

    def revoke(self, chains, place, days="2"):
        """Writes the list of these and no other certificates as revoked."""
        settings, index = self.directory / "ca.conf", self.directory / "index"
        settings.write_text(f"[ca]\ndefault_ca = c\n[c]\ndatabase = {index}\n"
                            "default_md = sha256\n")
        index.write_text("")
        base = ("ca", "-config", settings, "-cert", self.pem, "-keyfile", self.key)
        for chain in chains:
            openssl(*base, "-revoke", chain)
        openssl(*base, "-gencrl", "-crldays", days, "-out", place)
        return pathlib.Path(place)


def authority(directory):
    return Authority(pathlib.Path(directory) / "ca")


def openssl(*words):
    done = run("openssl", *words)
    if done.code != 0:
        raise RuntimeError(f"openssl {words[0]}: {done.err}")
    return done


class Domain:
    """A mail domain: a directory with its certificate, mailboxes, settings and servers."""

    def __init__(self, tests, ca, name, hosts=None):
        self.tests, self.ca, self.name = tests, ca, name
        self.place = tests.work / name
        self.place.mkdir()
        self.chain, self.key = ca.certificate(self.place / "domain", [name])
        self.hosts = {} if hosts is None else hosts  # hostpart -> where it is reached
        self.office_hosts = {}
        self.routes = []  # lines of [routes]
        self.servers = {}

    def tls(self, extra=""):
        return (f'[tls]\nsystem-store = false\nca-file = "{self.ca.pem}"\n{extra}'
                f'[[tls.certificate]]\nchain = "{self.chain}"\nkey = "{self.key}"\n')

    @staticmethod
    def host_table(hosts):
        return "[hosts]\n" + "".join(f'"{h}" = "{where}"\n' for h, where in hosts.items())

    def write(self, name, text):
        path = self.place / name
        path.write_text(text)
        return path

    def admin(self, *words):
        done = run(self.tests.program("ima-admin"), *words)
        if done.code != 0:
            raise RuntimeError(f"ima-admin {words}: {done.err}")
        return done

    def add_user(self, user, password="correct horse"):
        """A mailbox with a route to it, and an entry among the users; returns the mailbox."""
        mailbox = self.place / user
        self.admin("mailbox", "create", mailbox)
        secret = self.write(f"{user}.password", password + "\n")
        secret.chmod(0o600)
        self.admin("user", "add", user, "--users", self.place / "users.toml", "--mailbox", user,
                   "--password-file", secret)
        self.routes.append(f'"{user}@{self.name}" = {{ mailbox = "{user}" }}')
        return mailbox

    def receive_settings(self, top="", sections="", tls=""):
        routes = "[routes]\n" + "\n".join(self.routes) + "\n"
        return (f'listen = ["127.0.0.1:0"]\nhostparts = ["{self.name}"]\n{top}\n{routes}'
                f"{sections}\n{self.tls(tls)}")

    def office_settings(self, top="", sections="", tls=""):
        return f'listen = ["127.0.0.1:0"]\nusers = "users.toml"\n{top}\n{sections}\n{self.tls(tls)}'

    def start(self, program, top="", sections="", tls="", env=None, wrapper=()):
        """Starts one of the domain's servers with extra settings; returns it."""
        make = self.receive_settings if program == "server-receive" else self.office_settings
        server = Server(self.tests, program, self.write(program + ".toml", make(top, sections, tls)),
                        env, wrapper)
        self.servers[program] = server
        hosts = self.hosts if program == "server-receive" else self.office_hosts
        hosts[self.name] = server.address
        return server

    def message(self, *words, sender=None, text="hello\n"):
        """The octets of a message from alice (or SENDER) of this domain."""
        words = [*words, "--text", "-"] if text is not None else list(words)
        made = subprocess.run(
            [str(self.tests.program("make-ima-message")), "--from", sender or f"alice@{self.name}",
             *[str(w) for w in words]],
            input=(text or "").encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if made.returncode != 0:
            raise RuntimeError(made.stderr.decode())
        return made.stdout

    def send_settings(self, hosts=None, top="", sections=""):
        return (f"{top}\n{self.host_table(self.hosts if hosts is None else hosts)}\n{sections}\n"
                f"{self.tls()}")

    def send(self, message, *words, hosts=None, top="", sections="", timeout=120):
        """Runs server-send-mail with the message on its standard input."""
        config = self.write("send.toml", self.send_settings(hosts, top, sections))
        return run(self.tests.program("server-send-mail"), "--config", config, *words, stdin=message,
                   timeout=timeout)

    def fetch_settings(self, user, top="", sections=""):
        return (f'host = "{self.name}"\nuser = "{user}"\npassword-file = "{user}.password"\n{top}\n'
                f"{self.host_table(self.office_hosts)}\n{sections}\n"
                f'[tls]\nsystem-store = false\nca-file = "{self.ca.pem}"\n')

    def fetch(self, user, directory, *words, top="", sections="", timeout=120):
        """Runs fetch-mail for the user."""
        config = self.write(f"{user}.fetch.toml", self.fetch_settings(user, top, sections))
        return run(self.tests.program("fetch-mail"), "--config", config, *words, directory,
                   timeout=timeout)


def stored(mailbox, where=("new", "msg")):
    """The ids of the messages that lie in a mailbox, sorted; one for each copy."""
    found = []
    for part in where:
        for directory, folders, files in os.walk(pathlib.Path(mailbox) / part):
            inside = pathlib.Path(directory).name
            if len(inside) >= 64:
                continue  # the inside of a message with attachments
            found += [f for f in folders if len(f) >= 64]
            found += [f.removesuffix(".ima") for f in files if len(f) >= 64]
    return sorted(found)


def peak_memory(pid):
    """The most resident memory that a running process has had, in octets."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found.group(1)) * 1024 if found else 0


def processor_time(pid):
    """The seconds for which a running process has been on a processor."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_watched(words, stdin=None, stdout=None):
    """Runs a program with files as its standard input and output; its result and peak memory."""
    with contextlib.ExitStack() as files:
        source = files.enter_context(open(stdin or os.devnull, "rb"))
        out = files.enter_context(open(stdout, "wb") if stdout else tempfile.TemporaryFile())
        problems = files.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen([str(w) for w in words], stdin=source, stdout=out,
                                   stderr=problems)
        peak = 0
        while process.poll() is None:
            peak = max(peak, peak_memory(process.pid))
            time.sleep(0.005)
        texts = [_text_of(out) if stdout is None else "", _text_of(problems)]
    return Result(subprocess.CompletedProcess(words, process.returncode, *texts)), peak


def _text_of(file):
    file.seek(0)
    return file.read().decode(errors="backslashreplace")
