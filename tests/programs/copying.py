"""fetch-mail copies what it is asked for: some folders, both ways, on its own when mail comes; killed at
any time it goes on where it was, and two at once do not meet."""

import json
import os
import re
import signal
import subprocess
import time

from harness import Domain, Tests, authority, run, run_on_terminal, stored

with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    server = b.start("server-post-office")
    copy = b.place / "copy"

    def give(subject, *words):
        message = b.message("--to", "bob@b.example", "--subject", subject, *words)
        given = run(t.program("server-give-recipient"), bob, "-", "bob@b.example", stdin=message)
        t.equal(f"give {subject}", given.code, 0)

    def read(place, *words):
        return run(t.program("ima-read"), place, *words)

    give("One")
    told = b.fetch("bob", copy, "--headers-only", "--json")
    t.equal("only said", [json.loads(x)["subject"] for x in told.lines()], ["One"])
    t.equal("and not again", b.fetch("bob", copy, "--headers-only").out, "")
    t.equal("nothing is here", stored(copy), [])
    t.equal("a folder that is not there", b.fetch("bob", copy, "--folder", "nowhere").code, 1)
    t.equal("one that is", len(b.fetch("bob", copy, "--folder", "inbox").lines()), 1)

    # Both ways. The first run takes note of the state.
    t.equal("first", b.fetch("bob", copy, "--two-way").code, 0)
    ident = stored(copy)[0]
    shown = read(copy, "inbox", ident[:10])
    t.contains("the message", shown.out, "Subject: One")
    t.contains("its text", shown.out, "hello")
    t.contains("nobody's proof", shown.out, "Verified domain: none")
    t.true("new there", read(bob, "inbox").out.startswith("N "))
    t.equal("no index in what others serve too", list(bob.glob("index*")), [])
    t.equal("read here", b.fetch("bob", copy, "--two-way").code, 0)
    t.true("is read there", read(bob, "inbox").out.startswith("  "), read(bob, "inbox").out)
    t.equal("nothing more", b.fetch("bob", copy, "--two-way").out, "")

    # A large part, killed on its way.
    photo = b.place / "photo.jpg"
    photo.write_bytes(os.urandom(40_000_000))
    give("Two", "--attach", photo)
    config = b.write("bob.fetch.toml", b.fetch_settings("bob"))
    words = [str(t.program("fetch-mail")), "--config", str(config), str(copy)]
    first = t.started(subprocess.Popen(words, stdout=subprocess.DEVNULL))
    partial = copy / ".fetch"
    for _ in range(2000):
        sizes = [p.stat().st_size for p in partial.glob("*.2")]
        if sizes and sizes[0] > 0 or first.poll() is not None:
            break
        time.sleep(0.002)
    first.send_signal(signal.SIGSTOP)
    t.equal("a second one does not run", b.fetch("bob", copy).code, 75)
    first.kill()
    first.wait()
    t.true("killed on its way", len(stored(copy)) == 1 or first.returncode == 0)
    t.equal("it goes on", b.fetch("bob", copy).code, 0)
    t.equal("and is whole", [p.read_bytes() == photo.read_bytes()
                             for p in copy.glob("msg/*/*/2-photo.jpg")], [True])
    left = [p.name for p in partial.iterdir() if not p.name.startswith("changes-")]
    t.equal("nothing of it is left behind", left, ["lock"])
    t.equal("both ways again", b.fetch("bob", copy, "--two-way").out, "")
    t.equal("and nothing of what runs did", [p.name for p in partial.iterdir()], ["lock"])

    # On a terminal one line is written over and cleared at the end; what it says is for no pipe.
    out, drawn = run_on_terminal(*words[:-1], b.place / "shown")
    t.equal("messages are for the pipe", len(out.splitlines()), 2)
    t.true("progress is for the terminal", re.match(rb"\rinbox: \d+ messages, \d+\.\d MiB\x1b\[K", drawn),
           drawn)
    t.true("which is clean at the end", drawn.endswith(b"\r\x1b[K") and b"\n" not in drawn, drawn)

    # Attachments under safe names.
    place = b.place / "saved"
    place.mkdir()
    two = [i for i in stored(copy) if i != ident][0]
    t.equal("save", read(copy, "inbox", two, "--save", place).code, 0)
    t.true("what was sent", (place / "2-photo.jpg").read_bytes() == photo.read_bytes())
    t.equal("never over another", read(copy, "inbox", two, "--save", place).code, 2)

    # Watching.
    log = b.place / "watch.txt"
    with open(log, "wb") as out:
        watcher = t.started(subprocess.Popen([*words[:-1], "--watch", words[-1]], stdout=out))
    time.sleep(0.5)
    give("Three")
    for _ in range(400):
        if b"Three" in log.read_bytes():
            break
        time.sleep(0.05)
    t.contains("pushed", log.read_text(), " Three")
    watcher.kill()
    watcher.wait()

    # As a run leaves it that is killed between a message and its being taken in.
    four = b.message("--to", "bob@b.example", "--subject", "Four")
    for place in (bob, copy):
        given = run(t.program("server-give-recipient"), place, "-", "bob@b.example", stdin=four)
        t.equal("give Four", given.code, 0)
    left = next(p for p in (copy / "new").glob("*.ima") if b"\nsubject: Four\n" in p.read_bytes())
    left.write_bytes(left.read_bytes().replace(
        b"\n\n", f"\norigin: b.example bob {left.stem}\n\n".encode(), 1))

    # A deletion goes the other way, and --delete-after empties the post office.
    other = b.place / "other"
    t.equal("another copy", b.fetch("bob", other, "--folder", "inbox").code, 0)
    (other / "sync").rename(other / "sync.was")  # as if it had been stopped before it took note
    (other / "sync").mkdir()
    t.equal("which empties the post office", b.fetch("bob", other, "--delete-after").code, 0)
    t.equal("has everything", len(stored(other)), 4)
    t.equal("and nothing is there", stored(bob), [])
    t.equal("nor here", (b.fetch("bob", copy).code, stored(copy)), (0, []))
    t.equal("an orderly end", server.stop(), 0)
