"""What the tests of mailbox copies have in common: a program that works on a mailbox by IMRP, and a
copy that fetch-mail makes and another program works on."""

import hashlib
import socket
import ssl

from harness import Server, run


class Client:
    """A user's program at the post office at ADDRESS; a stranger's where USER is None."""

    def __init__(self, tests, address, ca, user, password="correct horse", host="b.example"):
        context = ssl.create_default_context(cafile=ca.pem)
        context.set_alpn_protocols(["imrp"])
        name, _, port = address.rpartition(":")
        self.tests = tests
        self.socket = context.wrap_socket(socket.create_connection((name, int(port)), 30),
                                          server_hostname=host)
        self.lines = self.socket.makefile("rwb")
        tests.true("greeted", self.lines.readline().startswith(f"IMRP 1 {host}".encode()))
        if user is not None:
            self.ask(f"AUTH {user} PASSWORD {len(password)}\n{password}", end="")

    def ask(self, request, end="\n"):
        """The lines of the reply; the last, which must be OK, without that word."""
        self.lines.write((request + end).encode())
        self.lines.flush()
        reply = []
        while True:
            line = self.lines.readline().decode().rstrip("\n")
            word, _, rest = line.partition(" ")
            if word in ("OK", "FAIL", "DEFER", ""):
                self.tests.equal(request.partition("\n")[0][:60], line if word != "OK" else word, "OK")
                self.end = rest
                return reply
            reply.append(line)

    def say(self, octets):
        self.lines.write(octets)
        self.lines.flush()

    def append(self, folder, subject, flags="-", text=b"mine\n"):
        """Puts a message of the user's own there; returns its id."""
        self.ask((offer_of(folder, subject, flags, text) + b"DATA %d\n" % len(text) + text).decode(),
                 end="")
        return self.end

    def messages(self, folder):
        """The flags of each message, by its subject."""
        ids = {}
        for line in self.ask(f"CHANGES {folder} 0 1000"):
            if line.startswith("+ "):
                _, ident, _, _, flags, _ = line.split(" ")
                ids[ident] = flags
        return {self.subject(folder, ident): flags for ident, flags in ids.items()}

    def subject(self, folder, ident):
        self.lines.write(f"HEADERS {folder} {ident}\n".encode())
        self.lines.flush()
        _, _, block, record = self.lines.readline().decode().split(" ")
        text = self.lines.read(int(block) + int(record)).decode()
        self.lines.readline()
        return text.partition("subject: ")[2].partition("\n")[0]

    def ids(self, folder):
        return sorted(line.split()[1] for line in self.ask(f"CHANGES {folder} 0 1000")
                      if line.startswith("+ "))

    def named(self, folder, subject):
        """The id of the message with this subject."""
        return next(i for i in self.ids(folder) if self.subject(folder, i) == subject)

    def folders(self):
        return sorted(line.removeprefix("FOLDER ") for line in self.ask("FOLDERS"))


def offer_of(folder, subject, flags, text):
    """An APPEND with its header block."""
    block = (f"ima: 1\nfrom: bob@b.example\nto: carol@b.example\nsubject: {subject}\n"
             f"part: {len(text)} text/plain sha256={hashlib.sha256(text).hexdigest()}\n\n")
    return f"APPEND {folder} {flags} - {len(block)}\n{block}".encode()


def end_of(client):
    """What a client meets that waits: "" for an orderly end of TLS."""
    client.socket.suppress_ragged_eofs = False
    try:
        return client.socket.recv(1).decode()
    except OSError as problem:
        return str(problem)


class Copy:
    """A copy that fetch-mail makes of bob's mailbox in the domain B."""

    def __init__(self, tests, domain, name="copy"):
        self.tests, self.domain, self.place = tests, domain, domain.place / name

    def fetch(self, *words, code=0):
        done = self.domain.fetch("bob", self.place, *words)
        self.tests.equal(f"fetch {' '.join(words)}", done.code, code)
        if code == 0:
            self.tests.equal("without a complaint", done.err, "")
        return done

    def office(self):
        """A post office of its own, on the user's machine, and a program that works with it."""
        name, domain = self.place.name, self.domain
        users = domain.place / f"{name}-users.toml"
        domain.admin("user", "add", "home", "--users", users, "--mailbox", name, "--password-file",
                     domain.place / "bob.password")
        settings = domain.office_settings().replace("users.toml", users.name)
        self.server = Server(self.tests, "server-post-office",
                             domain.write(f"{name}-home.toml", settings))
        return Client(self.tests, self.server.address, domain.ca, "home")


def give(tests, domain, mailbox, *subjects, attach=()):
    """Delivers a message with each subject."""
    for subject in subjects:
        words = [w for path in attach for w in ("--attach", path)]
        message = domain.message("--to", "bob@b.example", "--subject", subject, *words)
        done = run(tests.program("server-give-recipient"), mailbox, "-", "bob@b.example",
                   stdin=message)
        tests.equal(f"give {subject}", done.code, 0)
