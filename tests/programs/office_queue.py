"""What a user submits and a host cannot take now waits in the post office's queue, where he and nobody
else sees it, until a runner delivers it."""

import json
import time

from harness import Domain, QueueRunner, Tests, authority, run, stored

NOBODY = "127.0.0.1:1"

with Tests() as t:
    ca = authority(t.work)
    a, b, c = (Domain(t, ca, name) for name in ("a.example", "b.example", "c.example"))
    alice, carol = a.add_user("alice"), c.add_user("carol")
    for domain in (a, c):
        domain.start("server-receive")
    reached = {"a.example": a.hosts["a.example"], "c.example": NOBODY}  # c.example is away
    for user in ("bob", "eve"):
        b.add_user(user)
        b.admin("user", "address", user, "--users", b.place / "users.toml", "--add",
                f"{user}@b.example")
    retries = 'path = "queue"\nfirst-retry = "1s"\nlongest-retry = "1s"\n'
    submission = ("[submission]\n" + b.host_table(reached).replace("[hosts]", "[submission.hosts]") +
                  f"[submission.queue]\n{retries}" + b.tls().replace("[tls", "[submission.tls"))
    office = b.start("server-post-office", sections=submission)

    def submit(user, *words):
        config = b.write(f"{user}.toml", b.fetch_settings(user))
        return run(t.program("submit-mail"), "--config", config, *words)

    def waiting(user):
        listed = submit(user, "--queue", "--json")
        t.equal(f"{user} may ask", listed.code, 0)
        return [json.loads(line) for line in listed.lines()]

    t.equal("nothing waits", waiting("bob"), [])
    words = ("--from", "bob@b.example", "--to", "alice@a.example", "--to", "carol@c.example",
             "--subject", "Photos", "--save", "inbox")
    sent = submit("bob", *words, "--json")
    t.equal("taken", sent.code, 0)
    said = [json.loads(line) for line in sent.lines()]
    t.equal("each recipient's result",
            sorted((r["recipient"], r["result"]) for r in said if "recipient" in r),
            [("alice@a.example", "OK"), ("carol@c.example", "QUEUED")])
    t.equal("the verdict", said[-1]["verdict"], "queued")
    t.true("kept like what is delivered", said[-1]["saved"] != "", said[-1])
    t.equal("one has it", len(stored(alice)), 1)

    found = waiting("bob")
    t.equal("the other waits", [m["recipient"] for m in found], ["carol@c.example"])
    t.equal("under the digest that everybody knows", found[0]["id"], stored(alice)[0])
    t.contains("he is told why", found[0]["text"], "refused")
    t.true("and when it is tried next", found[0]["next"] > found[0]["since"], found[0])
    t.contains("in words as well", submit("bob", "--queue").out, f"{found[0]['id']} carol@c.example")
    t.equal("nobody else sees it", waiting("eve"), [])
    entry = json.loads(b.admin("queue", "list", b.place / "queue", "--json").out)[0]["id"]
    b.admin("queue", "hold", b.place / "queue", entry)
    t.equal("while it is held nothing is planned", waiting("bob")[0]["next"], "-")
    b.admin("queue", "release", b.place / "queue", entry)

    # A post office that is killed has forgotten what it sent, the queue has not.
    office.kill()
    office = b.start("server-post-office", sections=submission)
    t.equal("it still waits", [m["id"] for m in waiting("bob")], [found[0]["id"]])

    # The host is back.
    runner = QueueRunner(t, b.write("run.toml", b.send_settings(
        {**reached, "c.example": c.hosts["c.example"]}, sections=f"[queue]\n{retries}")))
    t.true("the runner delivers it", runner.wait_for(" queue-result "), runner.text())
    for _ in range(100):
        if not waiting("bob"):
            break
        time.sleep(0.1)
    t.equal("and nothing waits", waiting("bob"), [])
    t.equal("once to each", (len(stored(alice)), len(stored(carol))), (1, 1))
    t.equal("the runner ends", runner.stop(), 0)

    refused = submit("bob", "--from", "bob@b.example", "--to", "nobody@a.example")
    t.equal("what is refused for good", refused.code, 1)
    t.equal("does not wait", waiting("bob"), [])
    t.equal("an orderly end", office.stop(), 0)
