"""lists.py PROGRAMS: aliases and lists over two hosts: who gets what, and that every loop ends."""

import time

from harness import Domain, Tests, authority, run, stored
from imdp import header

with Tests() as t:
    ca = authority(t.work)
    hosts = {}
    a, b = Domain(t, ca, "a.example", hosts), Domain(t, ca, "b.example", hosts)
    boxes = {}
    for domain, user in ((a, "ann"), (a, "al"), (a, "olga"), (b, "bob")):
        boxes[user] = domain.add_user(user)
    a.routes += [
        '"list@a.example" = { alias = ["ann@a.example", "list@b.example", "self@a.example"] }',
        '"self@a.example" = { alias = ["self@a.example", "al@a.example"] }',
        '"there@a.example" = { alias = ["back@b.example"] }',
        '"away@a.example" = { alias = ["bob@b.example"] }',
        '"crew@a.example" = { alias = ["ann@a.example", "al@a.example", "bob@b.example"] }',
        '"owner-crew@a.example" = { alias = ["olga@a.example"] }',
        '"gone@a.example" = { alias = ["nobody@b.example"] }',
    ]
    b.routes += [
        '"list@b.example" = { alias = ["bob@b.example", "list@a.example"] }',
        '"back@b.example" = { alias = ["there@a.example"] }',
    ]
    send = t.program("server-send-mail")
    servers = [d.start("server-receive", top=f'send-command = ["{send}", "--config", "forward.toml"]\n',
                       wrapper=("env", "-C", str(d.place))) for d in (a, b)]
    for d in (a, b):
        d.write("forward.toml", d.send_settings())

    def copies():
        return {user: len(stored(box)) for user, box in boxes.items()}

    def text_of(user):
        (path,) = (boxes[user] / "new").glob("*.ima")
        return path.read_text().split("\n\n", 1)[1]

    message = header("Alice <alice@a.example>", "list@a.example",
                     lines=("bcc: away@a.example", "subject: to all", "received: earlier")) + b"hello\n"
    sent = a.send(message)
    t.equal("a list that names another, which names it", sent.code, 0)
    t.equal("everybody has it once", copies(), {"ann": 1, "al": 1, "olga": 0, "bob": 1 + 1})
    for text in [p.read_text().split("\n\n", 1)[1] for p in (boxes["bob"] / "new").glob("*.ima")]:
        t.contains("the author stays", text, "\nfrom: Alice <alice@a.example>\n")
        t.equal("one via and one mailer", (text.count("\nvia: "), text.count("\nmailer: ")), (1, 1))
        t.equal("received: lines are kept", text.count("\nreceived: "), 3)
        t.true("private lines are not", "bcc:" not in text and text.count("\nfor: ") == 1, text)
    again = a.send(message)
    t.equal("again", again.code, 0)
    t.equal("a second copy changes nothing", copies(), {"ann": 1, "al": 1, "olga": 0, "bob": 2})

    loop = a.send(header("alice@a.example", "there@a.example") + b"hello\n")
    t.equal("an alias to another host and back", loop.code, 1)
    t.contains("says so", loop.out, "FAIL there@a.example")
    t.contains("and why", loop.out, "loop")
    selfish = a.send(header("alice@a.example", "self@a.example") + b"hello\n")
    t.equal("a list that names itself", selfish.code, 0)
    t.equal("reaches the others", copies()["al"], 2)
    gone = a.send(header("alice@a.example", "gone@a.example") + b"hello\n")
    t.equal("an alias for nobody", gone.code, 1)
    t.contains("the author hears of it", gone.out, "FAIL gone@a.example")
    servers[1].stop()
    away = a.send(header("alice@a.example", "away@a.example", lines=("subject: later",)) + b"hello\n")
    t.equal("a host that is away defers", away.code, 75)

    # What a member refuses later on is reported to the list: its owner hears of it, no member.
    queue = '[queue]\npath = "queue"\nfirst-retry = "1s"\nlongest-retry = "1s"\n'
    a.write("forward.toml", a.send_settings(sections=queue))
    before = copies()
    posted = a.send(header("alice@a.example", "crew@a.example") + b"hello\n")
    t.equal("a member who is away waits in the queue", posted.code, 0)
    b.routes.clear()
    b.start("server-receive")
    runner = a.write("run.toml", a.send_settings(sections=queue))
    for _ in range(100):
        run(send, "--config", runner, "--run-queue", "--once")
        if not any((a.place / "queue/entries").iterdir()):
            break
        time.sleep(0.1)
    t.equal("the queue empties", list((a.place / "queue/entries").iterdir()), [])
    t.equal("the members have one more, the owner the report as well", copies(),
            {"ann": before["ann"] + 1, "al": before["al"] + 1, "olga": 1, "bob": before["bob"]})
    (report,) = (boxes["olga"] / "new").iterdir()
    t.contains("the report", "".join(f.read_text() for f in ([report] if report.is_file() else
                                                             report.iterdir())), "bob@b.example")
    t.equal("an orderly end", servers[0].stop(), 0)
