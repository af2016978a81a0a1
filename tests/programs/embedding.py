"""The examples of embedding, over real TLS against the real servers and each other."""

import os
import pathlib
import subprocess
import sys

from harness import Domain, Tests, authority, run

examples = pathlib.Path(sys.argv[2]).resolve()


def serve(t, name, *words):
    """Starts an example that serves; returns its address, which it prints."""
    process = subprocess.Popen([str(examples / name), *map(str, words)], stdout=subprocess.PIPE,
                               text=True)

    class Running:
        def kill(self):
            process.kill()
            process.wait()
            process.stdout.close()

    t.started(Running())
    return process.stdout.readline().strip()


with Tests() as t:
    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    b.start("server-receive")
    b.start("server-post-office")
    receiver, office = b.servers["server-receive"].address, b.servers["server-post-office"].address
    own = [a.chain, a.key, ca.pem]
    photo = t.work / "photo.jpg"
    photo.write_bytes(os.urandom(500_000))

    def message(subject, *words):
        path = t.work / f"{subject}.ima"
        path.write_bytes(a.message("--to", "bob@b.example", "--subject", subject, *words))
        return path

    def send(path, address):
        return run(examples / "send_message", *own, path, f"b.example={address}")

    sent = send(message("One", "--attach", photo), receiver)
    t.equal("the minimal sender", (sent.code, sent.out.strip()), (0, "OK bob@b.example"))

    for number, name in enumerate(("deliver_with_poll", "deliver_with_asio")):
        path = message(f"Two-{number}", "--attach", photo)
        words = [*own, "b.example", *receiver.rsplit(":", 1), path]
        done = run(examples / name, *words)
        t.equal(name, (done.code, done.out), (0, "OK\n"))
        t.equal(f"{name}: once", run(examples / name, *words).out, "OK\n")
        elsewhere = run(examples / name, *own, "c.example", *receiver.rsplit(":", 1), path)
        t.true(f"{name}: a server of another domain", elsewhere.code == 1 and elsewhere.err,
               elsewhere.err)

    path = message("Three", "--attach", photo)
    where = receiver.rsplit(":", 1)
    for attempt in range(2):
        done = run(examples / "send_with_asio", *own, "b.example", *where, path)
        t.equal(f"send_with_asio {attempt}", (done.code, done.out), (0, "OK bob@b.example\n"))
    unknown = t.work / "unknown.ima"
    unknown.write_bytes(a.message("--to", "nobody@b.example"))
    refused = run(examples / "send_with_asio", *own, "b.example", *where, unknown)
    t.true("send_with_asio: a refusal", refused.code == 1 and refused.out.startswith("REJECT"),
           refused.out)
    elsewhere = run(examples / "send_with_asio", *own, "c.example", *where, path)
    t.true("send_with_asio: a server of another domain", elsewhere.code == 1 and elsewhere.err,
           elsewhere.err)
    away = run(examples / "send_with_asio", *own, "b.example", "127.0.0.1", 1, path)
    t.equal("send_with_asio: nobody there", away.code, 75)

    words = [ca.pem, "b.example", *office.rsplit(":", 1), "bob"]
    secret, wrong = t.work / "password", t.work / "wrong"
    secret.write_text("correct horse\n")
    wrong.write_text("wrong")
    subjects = run(examples / "list_with_asio", *words, secret)
    t.equal("list_with_asio", (subjects.code, sorted(subjects.lines())),
            (0, ["One", "Three", "Two-0", "Two-1"]))
    t.equal("list_with_asio: a wrong password",
            run(examples / "list_with_asio", *words, wrong).code, 1)
    t.contains("list_with_asio: no password",
               run(examples / "list_with_asio", *words, t.work / "none").err, "[password-file]")

    listed = run(examples / "read_mailbox", bob)
    t.equal("the mailbox reader", listed.code, 0)
    t.equal("what it lists", sorted(line.split()[2] for line in listed.lines()),
            ["One", "Three", "Two-0", "Two-1"])
    t.equal("no such mailbox", run(examples / "read_mailbox", t.work / "none").code, 1)

    into = t.work / "fetched"
    into.mkdir()
    fetched = run(examples / "fetch_with_progress", ca.pem, "b.example", office, "bob",
                  secret, into)
    t.equal("the retrieval client", fetched.code, 0)
    t.equal("the part as it was sent", (into / "part-2").read_bytes(), photo.read_bytes())
    t.contains("the progress", fetched.err, "part 2: 100 %")
    refused = run(examples / "fetch_with_progress", ca.pem, "b.example", office, "bob", wrong, into)
    t.equal("a wrong password", refused.code, 1)

    filtering = serve(t, "policy_filter", b.chain, b.key, ca.pem, "127.0.0.1:0", 600_000,
                      f"bob@b.example={bob}")
    t.equal("what the policy allows", send(message("Six"), filtering).out.strip(),
            "OK bob@b.example")
    program = t.work / "program"
    program.write_bytes(b"\x7fELF")
    bad = a.message("--to", "bob@b.example", "--subject", "Four", "--attach", program).replace(
        b"application/octet-stream", b"application/x-executable")
    (t.work / "bad.ima").write_bytes(bad)
    t.contains("a program", send(t.work / "bad.ima", filtering).out, "programs are not taken here")
    large = send(message("Five", "--attach", photo, "--attach", photo), filtering)
    t.contains("too much", large.out, "a.example may not send so much")

    kept = t.work / "kept"
    kept.mkdir()
    keeping = serve(t, "receive_messages", b.chain, b.key, ca.pem, "127.0.0.1:0", kept)
    for _ in range(2):
        t.equal("the receiver", send(t.work / "One.ima", keeping).code, 0)
    files = list(kept.iterdir())
    t.equal("one file", [f.suffix for f in files], [".ima"])
    t.true("with the octets of the parts",
           files[0].read_bytes().endswith(photo.read_bytes()), files[0])
