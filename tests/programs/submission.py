"""A user sends through his post office, from his own addresses alone; what is changed among the users
holds without a restart; what he sent is kept and marked."""

import json
import os
import subprocess
import time

from harness import Domain, Tests, authority, run, stored
from imrp import Client, give
from proxy import Proxy

with Tests() as t:
    ca = authority(t.work)
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    alice, ann, bob = a.add_user("alice"), a.add_user("ann"), b.add_user("bob")
    full = a.add_user("full")
    a.admin("mailbox", "quota", full, "--octets", "1")
    a.start("server-receive")
    submission = ("[submission]\n[submission.hosts]\n" +
                  "".join(f'"{h}" = "{where}"\n' for h, where in hosts.items()) +
                  "[submission.tls]\nsystem-store = false\n" +
                  f'ca-file = "{ca.pem}"\n[[submission.tls.certificate]]\n' +
                  f'chain = "{b.chain}"\nkey = "{b.key}"\n')
    office = b.start("server-post-office", sections=submission)
    config = b.write("bob.toml", b.fetch_settings("bob"))

    def submit(*words, message=None):
        return run(t.program("submit-mail"), "--config", config, *words, stdin=message or b"")

    def user(*words):
        return run(t.program("ima-admin"), "user", *words, "--users", b.place / "users.toml")

    letter = b.message("--to", "alice@a.example", "--subject", "Hello", sender="bob@b.example")
    t.equal("without an address of his own", submit(message=letter).code, 1)
    t.equal("he gets one", user("address", "bob", "--add", "bob@b.example").code, 0)
    sent = submit(message=letter)
    t.equal("from then on he may send", (sent.code, sent.out), (0, "OK alice@a.example\n"))
    t.equal("it is there", len(stored(alice)), 1)
    t.equal("once", (submit(message=letter).code, len(stored(alice))), (0, 1))
    # The envelope is outside the digest: another recipient is no repetition.
    for envelope, told in (("bcc: ann", "OK alice@a.example\nOK ann@a.example\n"),
                           ("for: ann", "OK ann@a.example\n")):
        wider = letter.replace(b"\nto:", f"\n{envelope}@a.example\nto:".encode(), 1)
        sent = submit(message=wider)
        t.equal(f"the same with {envelope}", (sent.code, "".join(sorted(sent.out.splitlines(True)))),
                (0, told))
        t.equal("everybody has it once", (len(stored(alice)), len(stored(ann))), (1, 1))
    other = b.message("--to", "alice@a.example", sender="eve@b.example")
    refused = submit(message=other)
    t.equal("in another's name", refused.code, 1)
    t.contains("and is told why", refused.err, "[from]")

    file = b.write("letter.ima", letter.decode())
    for words in ([file, "--bcc", "alice@a.example"], [file, "--from", "bob@b.example"],
                  ["--to", "alice@a.example"], ["--bcc", "alice@a.example"], ["--subject", "x"],
                  ["--attach", file], ["--header", "x: y"], ["--queue", "--from", "bob@b.example"],
                  ["--queue", "--save", "inbox"], ["--queue", file]):
        done = submit(*words, message=letter)
        t.equal(f"{words[0]} {words[1]} says what is not possible", (done.code, done.out), (64, ""))

    made = submit("--from", "Bob <bob@b.example>", "--to", "alice@a.example", "--to",
                  "nobody@a.example", "--subject", "Two", "--json")
    t.equal("one who does not exist", made.code, 1)
    t.equal("then nobody gets it", len(stored(alice)), 1)
    t.equal("verdict", json.loads(made.lines()[-1])["verdict"], "refused")
    t.equal("no place for temporary files", run(
        t.program("submit-mail"), "--config", config, "--from", "bob@b.example", "--to",
        "alice@a.example", env={"TMPDIR": "/nowhere"}).code, 75)
    t.equal("a host that is not there",
            submit("--from", "bob@b.example", "--to", "x@c.invalid").code, 1)

    mixed = submit("--from", "bob@b.example", "--to", "alice@a.example", "--to", "full@a.example")
    t.equal("some have it, some do not", mixed.code, 2)
    t.contains("it is said who", mixed.out, "OK alice@a.example\n")
    t.contains("and why not", mixed.out, "FAIL full@a.example ")
    t.equal("what is no message", (submit(message=b"ima: 2\n\n").code, submit("/nowhere/letter").code),
            (65, 66))

    # An answer that is kept and marks the question.
    question = a.message("--to", "bob@b.example", "--subject", "A question")
    given = run(t.program("server-give-recipient"), bob, "-", "bob@b.example", stdin=question)
    t.equal("a question comes", given.code, 0)
    copy = b.place / "copy"
    line = b.fetch("bob", copy).lines()
    t.equal("and is fetched", len(line), 1)
    ident = line[0].split()[1]
    answer = submit("--from", "bob@b.example", "--to", "alice@a.example", "--subject", "An answer",
                    "--save", "inbox", "--answered", f"inbox/{ident}", "--json")
    t.equal("the answer", answer.code, 0)
    end = json.loads(answer.lines()[-1])
    t.equal("delivered", end["verdict"], "delivered")
    t.true("kept under an id of its own", len(end["saved"]) == 81, end)
    t.equal("no such folder", submit("--from", "bob@b.example", "--to", "alice@a.example", "--save",
                                     "nowhere").code, 1)
    b.fetch("bob", copy)
    listed = run(t.program("ima-read"), copy, "inbox")
    t.contains("the copy has the answer", listed.out, "An answer")

    # A large part that he has stays where it is when he forwards it.
    large = b.place / "large"
    large.write_bytes(os.urandom(1 << 20) * 64)
    give(t, b, bob, "Large", attach=[large])
    program = Client(t, office.address, ca, "bob")
    source = program.named("inbox", "Large")
    proxy = Proxy(office.address)
    b.office_hosts["b.example"] = proxy.address
    by_proxy = b.write("proxy.toml", b.fetch_settings("bob"))
    b.office_hosts["b.example"] = office.address
    forwarded = run(t.program("submit-mail"), "--config", by_proxy, "--from", "bob@b.example", "--to",
                    "alice@a.example", "--subject", "Look", "--attach", large, "--part",
                    f"1=inbox/{source}/2", "--forwarded", f"inbox/{source}")
    t.equal("forwarded", (forwarded.code, forwarded.out), (0, "OK alice@a.example\n"))
    t.true("without moving it", proxy.told < 64 << 10, proxy.told)
    t.true("whole", any(p.read_bytes() == large.read_bytes() for p in alice.rglob("*-large")))
    t.equal("and marked", program.messages("inbox")["Large"], "forwarded")

    # Users change while the server runs.
    secret = b.place / "bob.password"
    secret.write_text("a better horse\n")
    t.equal("not yet", b.fetch("bob", copy).code, 1)
    t.equal("a new password", user("password", "bob", "--password-file", secret).code, 0)
    t.equal("holds at once", b.fetch("bob", copy).code, 0)
    t.equal("the users", user("list").out,
            f"bob {b.place / 'bob'} password bob@b.example\n")
    # Who is connected when he is removed or locked is let go, whatever he does.
    proved = office.text().count(" user-proved ")
    watching = t.started(subprocess.Popen([t.program("fetch-mail"), "--config", b.place /
                                           "bob.fetch.toml", "--watch", copy],
                                          stderr=subprocess.PIPE, text=True))
    for _ in range(600):
        if office.text().count(" user-proved ") > proved:
            break
        time.sleep(0.05)
    t.equal("he goes", user("remove", "bob").code, 0)
    t.equal("his watch ends", watching.wait(30), 1)
    t.contains("as he cannot come in again", watching.stderr.read(), "[auth]")
    t.true("it is in the log", office.wait_for(" user-dismissed .*user=bob"), office.text())
    t.equal("and is gone", b.fetch("bob", copy).code, 1)
    t.equal("twice", user("remove", "bob").code, 1)
    (b.place / "users.toml").write_text("nonsense")
    b.fetch("bob", copy)
    t.true("a broken file is reported", office.wait_for(" users-refused "), office.text())
    t.true("no password in the log", "horse" not in office.text())
    t.equal("an orderly end", office.stop(), 0)
