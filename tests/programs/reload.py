"""Servers take up new certificates, keys, authorities, lists and settings while connections are open
and mail flows: no connection is dropped, nothing is refused, and what is broken changes nothing."""

import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

from harness import Domain, QueueRunner, Tests, authority, run


class Flow:
    """Runs something again and again beside the test, at least four times; keeps what went wrong."""

    def __init__(self, once):
        self.once, self.count, self.failed, self._over = once, 0, [], threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while self.count < 4 or not self._over.is_set():
            problem = self.once(self.count)
            self.count += 1
            if problem:
                self.failed.append(problem)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


class Held:
    """A connection that stays open, by openssl's client."""

    def __init__(self, address, ca, cert, alpn, name="b.example"):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", address, "-CAfile", ca.pem, "-servername", name,
             "-alpn", alpn, "-cert", cert[0], "-key", cert[1], "-quiet", "-ign_eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.greeting = self.process.stdout.readline().decode()

    def finish(self):
        """Says DONE; true if the server then closed as it should."""
        self.process.stdin.write(b"DONE\n")
        self.process.stdin.close()
        return self.process.stdout.read() == b"" and self.process.wait(30) == 0


def replace(path, source):
    """As certbot and others do: a new file under the old name, in one step."""
    fresh = pathlib.Path(str(path) + ".fresh")
    shutil.copyfile(source, fresh)
    os.replace(fresh, path)


def fingerprint_of(chain):
    return run("openssl", "x509", "-in", chain, "-noout", "-fingerprint", "-sha256").out


with Tests() as t:
    ca, second_ca = authority(t.work), authority(t.work / "second")
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    b.add_user("bob")
    renewed = ca.certificate(t.work / "renewed", ["b.example"])
    again = ca.certificate(t.work / "again", ["b.example"])

    def shown(server, alpn, name="b.example"):
        """The fingerprint of the certificate that the server shows."""
        pem = run("openssl", "s_client", "-connect", server.address, "-servername", name, "-alpn",
                  alpn, "-cert", a.chain, "-key", a.key).out
        return run("openssl", "x509", "-noout", "-fingerprint", "-sha256", stdin=pem).out

    def send(count):
        # Settings are in a file of its own, as the test sends as well.
        sent = run(t.program("server-send-mail"), "--config", sender,
                   stdin=a.message("--to", "bob@b.example", text=f"number {count}\n"))
        return None if sent.code == 0 else sent.out + sent.err

    def fetch(count):
        got = b.fetch("bob", t.work / "copy")
        return None if got.code == 0 else got.err

    def exercise(server, alpn, once):
        log = 0

        def expect(what, pattern):
            nonlocal log
            found = None
            for _ in range(400):
                lines = server.text()[log:].splitlines()
                found = next((line for line in lines if f" {pattern}" in line), None)
                if found:
                    break
                time.sleep(0.05)
            t.true(f"{alpn}: {what}", found is not None, server.text()[log:][-500:])
            log = len(server.text())
            return found or ""

        def hup(what, pattern):
            server.signal(signal.SIGHUP)
            return expect(what, pattern)

        config = b.place / f"{server.name}.toml"
        settings = config.read_text()
        old = fingerprint_of(b.chain)
        held = Held(server.address, ca, (a.chain, a.key), alpn)
        t.contains(f"{alpn}: a connection before", held.greeting, "b.example")
        with Flow(once) as flow:
            t.equal(f"{alpn}: the first certificate", shown(server, alpn), old)

            replace(b.chain, renewed[0])
            line = hup("a certificate without its key", "reload-refused")
            t.contains(f"{alpn}: the rule and the place", line, "rule=key-file")
            t.equal(f"{alpn}: the first stays", shown(server, alpn), old)
            replace(b.key, renewed[1])
            hup("the whole pair", "reloaded why=signal")
            t.equal(f"{alpn}: the renewed one", shown(server, alpn), fingerprint_of(renewed[0]))

            config.write_text(settings + "[nonsense]\n")
            line = hup("broken settings", "reload-refused")
            t.contains(f"{alpn}: the line of the settings", line, f"{config}:")
            config.write_text(settings + f'[[tls.certificate]]\nchain = "{third.chain}"\n'
                              f'key = "{third.key}"\n')
            hup("another domain", "reloaded")
            t.equal(f"{alpn}: by its name", shown(server, alpn, "c.example"),
                    fingerprint_of(third.chain))
            t.equal(f"{alpn}: the first by its own", shown(server, alpn),
                    fingerprint_of(renewed[0]))

            config.write_text(settings.replace("[tls]\n", '[tls]\nwatch = "100ms"\n'))
            hup("watching", "reloaded")
            replace(b.key, again[1])
            expect("a change is seen", "reload-refused why=change")
            replace(b.chain, again[0])
            expect("and the next", "reloaded why=change")
            t.equal(f"{alpn}: the last one", shown(server, alpn), fingerprint_of(again[0]))
            config.write_text(settings)
            expect("no more watching", "reloaded why=change")
        t.equal(f"{alpn}: nothing was refused", flow.failed, [])
        t.true(f"{alpn}: the connection from before is still served", held.finish())
        t.equal(f"{alpn}: it was never dropped", server.text().count("connection-lost"), 0)

    third = Domain(t, ca, "c.example", {})
    receiver = b.start("server-receive")
    sender = a.write("flow.toml", a.send_settings())
    exercise(receiver, "imdp", send)

    # The runner of the queue: what a wrong certificate held up goes out with the right one.
    right = (t.work / "right.pem", t.work / "right.key")
    for kept, now in zip(right, (a.chain, a.key)):
        shutil.copyfile(now, kept)
    for now, wrong in zip((a.chain, a.key), second_ca.certificate(t.work / "wrong", ["a.example"])):
        replace(now, wrong)
    queue = '[queue]\npath = "queue"\nfirst-retry = "1s"\nlongest-retry = "1s"\n'
    sent = a.send(a.message("--to", "bob@b.example", text="queued\n"), sections=queue)
    t.contains("queued", sent.out, "QUEUED bob@b.example")
    runner = QueueRunner(t, a.write("run.toml", a.send_settings(sections=queue)))
    t.true("refused", runner.wait_for("queue-result .*=bob@b.example result=DEFER .*unknown ca"),
           runner.text())
    for now, kept in zip((a.chain, a.key), right):
        replace(now, kept)
    runner.signal(signal.SIGHUP)
    t.true("delivered", runner.wait_for("queue-result .*=bob@b.example result=OK"), runner.text())
    t.equal("the runner ends in order", runner.stop(), 0)

    # Whom to trust, and who is revoked.
    config = b.place / "server-receive.toml"
    settings = config.read_text()
    lists = t.work / "lists"
    lists.mkdir()

    def reload():
        done = receiver.text().count(" reloaded ")
        receiver.signal(signal.SIGHUP)
        for _ in range(400):
            if receiver.text().count(" reloaded ") > done:
                return
            time.sleep(0.05)

    def trust(tls):
        config.write_text(settings.replace("[tls]\n", f"[tls]\n{tls}"))
        reload()

    ca.revoke([], lists / "ca.pem")
    trust(f'crl = "{lists}"\n')
    t.equal("a list without the sender", send(1000), None)
    ca.revoke([a.chain], lists / "ca.pem")
    reload()
    t.contains("a list with the sender", send(1001) or "", "certificate revoked")
    settings = settings.replace(str(ca.pem), str(second_ca.pem))
    trust("")
    t.contains("another authority", send(1002) or "", "unknown ca")
    t.equal("the receiver ends in order", receiver.stop(), 0)

    b.chain, b.key = ca.certificate(b.place / "office", ["b.example"])
    office = b.start("server-post-office")
    exercise(office, "imrp", fetch)
    t.equal("the post office ends in order", office.stop(), 0)
