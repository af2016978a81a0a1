"""Two mail domains on this machine with recipients that misbehave, for people who develop against IMA.

    sandbox.py DIRECTORY

a.example and b.example receive mail, and alice@a.example and bob@b.example can fetch theirs and send,
until it is interrupted. Everything is under DIRECTORY: an authority that nobody else trusts, settings
for server-send-mail, fetch-mail and submit-mail, mailboxes. docs/sandbox.md lists the recipients.
"""

import pathlib
import secrets
import shlex
import shutil
import signal
import subprocess
import sys

import ima
import ima.delivery
import ima.mailbox
import ima.net
import ima.service
import ima.tls

from postage import run

USERS = {"a.example": "alice", "b.example": "bob"}
AT_THE_HEADER = {"later": "defer", "never": "reject"}
BY_A_COMMAND = {
    "defer": "cat >/dev/null; echo 'not today'; exit 75",
    "fail": "cat >/dev/null; echo 'not ever'; exit 1",
    "slow": "cat >/dev/null; sleep 10",
    "drop": "cat >/dev/null",
}


class Misbehaving:
    """The built-in handler, apart from recipients that answer at once or not at all."""

    def __init__(self, inside):
        self.inside = inside

    def open(self, header, peer):
        return Offered(self.inside.open(header, peer), header, peer)


class Offered:
    def __init__(self, inside, header, peer):
        self.inside = inside
        self.locals = {a.local for a in header.recipients() if a.host == peer.host}
        self.body = inside.body

    def judge(self):
        for local, answer in AT_THE_HEADER.items():
            if local in self.locals:
                return ima.delivery.HeaderAnswer(answer, why="policy", text=f"{local}@ is here")
        return self.inside.judge()

    def finish(self, sink):
        if "drop" in self.locals:
            return "DROP"
        return self.inside.finish(sink)


class Sandbox:
    def __init__(self, place):
        self.place = place
        self.servers = []
        self.receiving = {}
        place.mkdir(parents=True, exist_ok=True)
        if not self.is_good("ca.pem"):
            self.openssl("req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=Sandbox",
                         "-addext", "keyUsage=critical,keyCertSign,cRLSign", *self.new_key("ca.key"),
                         "-out", "ca.pem")
            for old in place.glob("*/domain.pem"):
                old.unlink()

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.place, check=True, stderr=subprocess.DEVNULL)

    def is_good(self, certificate):
        """Whether it is there, and for a day at least."""
        words = ["openssl", "x509", "-noout", "-checkend", "86400", "-in", certificate]
        return subprocess.run(words, cwd=self.place, capture_output=True).returncode == 0

    def new_key(self, file):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", file]

    def certificate(self, domain):
        directory = self.place / domain
        directory.mkdir(exist_ok=True)
        if self.is_good(f"{domain}/domain.pem"):
            return
        (directory / "extensions").write_text(
            f"subjectAltName=DNS:{domain}\nextendedKeyUsage=serverAuth\n")
        self.openssl("req", "-nodes", "-subj", f"/CN={domain}", *self.new_key(f"{domain}/domain.key"),
                     "-out", f"{domain}/request")
        self.openssl("x509", "-req", "-in", f"{domain}/request", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-days", "30", "-extfile", f"{domain}/extensions",
                     "-out", f"{domain}/domain.pem")

    def context(self, domain, protocol="imdp"):
        directory = self.place / domain
        return ima.tls.Context(
            [(str(directory / "domain.pem"), str(directory / "domain.key"))], protocol=protocol,
            system_store=False, ca_file=str(self.place / "ca.pem"))

    def mailbox(self, domain, name):
        path = str(self.place / domain / name)
        if not pathlib.Path(path).exists():
            ima.mailbox.Mailbox.create(path)
        return path

    def receive(self, domain):
        """Serves a domain's incoming mail."""
        routes = ima.service.RoutingTable()
        routes.add_host(domain)
        routes.add(f"{USERS[domain]}@{domain}", mailbox=self.mailbox(domain, USERS[domain]))
        full = self.mailbox(domain, "full")
        ima.mailbox.Mailbox.open(full).set_quota(octets=1)
        routes.add(f"full@{domain}", mailbox=full)
        for local, script in BY_A_COMMAND.items():
            routes.add(f"{local}@{domain}", command=["sh", "-c", script, "sh"])
        self.start(ima.net.DeliveryServer(
            Misbehaving(ima.service.LocalHandler(routes)), self.context(domain),
            listen=["127.0.0.1:0"], log=self.log(domain)))
        self.receiving[domain] = self.servers[-1].addresses[0]

    def keep(self, domain):
        """Serves a domain's post office, and writes down how to use both servers."""
        user, directory = USERS[domain], self.place / domain
        password = secrets.token_hex(16)
        users = ima.service.Accounts()
        users.add(user, mailbox=self.mailbox(domain, user), addresses=[f"{user}@{domain}"],
                  password=ima.service.PasswordHash.make(password.encode()))
        self.start(ima.net.RetrievalServer(
            users, self.context(domain, "imrp"), listen=["127.0.0.1:0"], log=self.log(domain),
            sender=ima.net.Submitter(self.context(domain), hosts=self.receiving)))
        secret = directory / f"{user}.password"
        secret.touch(mode=0o600)  # fetch-mail takes no other
        secret.write_text(password + "\n")
        trust = '[tls]\nsystem-store = false\nca-file = "../ca.pem"\n'
        user_file = (f'host = "{domain}"\nuser = "{user}"\npassword-file = "{user}.password"\n\n'
                     f'[hosts]\n"{domain}" = "{self.servers[-1].addresses[0]}"\n\n{trust}')
        (directory / "fetch-mail.toml").write_text(user_file)
        (directory / "submit-mail.toml").write_text(user_file)
        hosts = "".join(f'"{d}" = "{where}"\n' for d, where in self.receiving.items())
        (directory / "server-send-mail.toml").write_text(
            f'[hosts]\n{hosts}\n{trust}\n[[tls.certificate]]\nchain = "domain.pem"\n'
            'key = "domain.key"\n')

    def start(self, server):
        server.start()
        self.servers.append(server)

    def log(self, domain):
        def write(level, name, fields):
            if level != "debug":
                words = " ".join(f"{key}={value}" for key, value in fields.items())
                print(f"{domain} {level} {name} {words}", file=sys.stderr, flush=True)

        return write


def path_of_programs():
    """A line for a shell that does not find them, where they lie beside the package."""
    built = pathlib.Path(ima.__file__).parents[3] / "tools"
    if shutil.which("fetch-mail") or not (built / "fetch-mail").exists():
        return ""
    return f"\nPATH={shlex.quote(str(built))}:$PATH"


def main(directory):
    sandbox = Sandbox(pathlib.Path(directory).resolve())
    for domain in USERS:
        sandbox.certificate(domain)
        sandbox.receive(domain)
    for domain in USERS:
        sandbox.keep(domain)
    print(f"""Both domains run until you press Ctrl-C. In another terminal:
cd {shlex.quote(str(sandbox.place))}{path_of_programs()}
echo Hello | make-ima-message --from alice@a.example --to bob@b.example --subject Hi --text - |
  server-send-mail --config a.example/server-send-mail.toml
fetch-mail --config b.example/fetch-mail.toml fetched""", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    for server in sandbox.servers:
        server.stop()
        server.wait()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    run(main)
