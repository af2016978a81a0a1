"""What the examples have in common: their settings, and sending.

Settings are TOML:

    address = "list@l.example"      # whom they speak for
    state = "state.json"            # what they remember; made when it is missing

    [tls]
    chain = "l.example.pem"
    key = "l.example.key"
    ca-file = "ca.pem"              # left out: the system's authorities

    [hosts]                         # where hostparts are reached; others are looked up
    "b.example" = "127.0.0.1:20025"

A mailing list has a queue, too, which `ima-queue` empties: `queue = "queue"`, before the tables.
"""

import contextlib
import fcntl
import inspect
import json
import os
import pathlib
import sys
import tomllib

import ima
import ima.net
import ima.service
import ima.tls

# What a receiving server makes of an exit status (docs/delivery.md section 10).
OK, FAIL, MIXED, LATER = 0, 1, 2, 75
WRONG_USE = 64


class Settings:
    def __init__(self, path):
        self.place = pathlib.Path(path).resolve().parent
        try:
            self.values = tomllib.loads(pathlib.Path(path).read_text())
        except (OSError, ValueError) as error:
            raise ima.TemporaryError(f"cannot read {path}: {error}", rule="settings") from error
        self.address = ima.Address(self.values["address"])

    def path(self, name):
        return str(self.place / name)

    def context(self):
        tls = self.values["tls"]
        ca = tls.get("ca-file")
        return ima.tls.Context(
            [(self.path(tls["chain"]), self.path(tls["key"]))],
            system_store=ca is None, ca_file=self.path(ca) if ca else "")

    def send(self, message):
        """Sends a message; returns the SendReport."""
        return ima.net.send_message(message, self.context(), hosts=self.values.get("hosts", {}))

    def queue(self):
        return ima.service.Queue.open(self.path(self.values["queue"]))

    def send_or_queue(self, message, queue):
        """The same, and what a host cannot take now waits in the queue."""
        return ima.net.send_or_queue(
            message, queue, self.context(), hosts=self.values.get("hosts", {}))

    @contextlib.contextmanager
    def state(self, empty):
        """What is remembered, locked while it is in use and durable when it was changed."""
        path = self.place / self.values["state"]
        with open(path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            value = read_state(path) if path.exists() else empty
            yield value
            write_state(path, value)


def read_state(path):
    """What is damaged waits for somebody to mend it: nothing is forgotten, and no mail refused."""
    try:
        value = json.loads(path.read_text())
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except (OSError, ValueError) as error:
        raise ima.TemporaryError(f"cannot read {path}: {error}", rule="state") from error
    return value


def write_state(path, value):
    draft = path.with_suffix(".draft")
    try:
        with open(draft, "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, path)
    except OSError as error:
        raise ima.TemporaryError(f"cannot write {path}: {error}", rule="state") from error


def now():
    import datetime

    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def text_message(settings, to, subject, text, *more):
    """A short text from the address of the settings."""
    fields = [
        ("id", ima.new_message_id(settings.address.host)),
        ("date", now()),
        ("from", str(settings.address)),
        ("to", str(to)),
        *([("subject", subject)] if subject else []),
        *more,
    ]
    return ima.Message.build(fields, [ima.Part(text.encode(), "text/plain", role="text")])


def exit_for(report):
    """The exit status that tells a receiving server what a SendReport says."""
    return {"delivered": OK, "refused": FAIL, "deferred": LATER, "mixed": MIXED}[report.outcome]


def is_automatic(header):
    """Nothing ever answers or sends on what a program wrote."""
    return header.first("auto") is not None


def usage(status=WRONG_USE):
    """Ends the program with what its docstring says."""
    print(sys.modules["__main__"].__doc__.strip(), file=sys.stderr if status else sys.stdout)
    sys.exit(status)


def run(main):
    """Runs a program's main function; what libima reports becomes a line and an exit status."""
    words = sys.argv[1:]
    if words[:1] == ["--help"]:
        usage(OK)
    try:
        inspect.signature(main).bind(*words)
    except TypeError:
        usage()
    try:
        sys.exit(main(*words))
    except ima.Error as error:
        print(f"{pathlib.Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(LATER if error.kind in ("temporary", "unknown") else FAIL)
