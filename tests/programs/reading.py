"""ima-read lists a folder by arrival, shows a text as it was written or as HTML means it, finds a message by
its id, and saves parts whole or not at all. What is damaged is named and never shown or saved as good, and
keeps no other out."""

import hashlib
import os

from harness import Domain, Tests, authority, run, stored
from imrp import Client

with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")

    def deliver(message):
        before = set(stored(bob))
        run(t.program("server-give-recipient"), bob, "-", "bob@b.example", stdin=message)
        return (set(stored(bob)) - before).pop()

    def give(text, *words):
        return deliver(b.message("--to", "bob@b.example", *words, text=text))

    def give_parts(subject, *parts):
        """Each part is a pair: how its line goes on behind the digest, with the type first; and its text."""
        lines = ["ima: 1", f"id: {subject}@b.example", "from: alice@b.example", "to: bob@b.example",
                 f"subject: {subject}"]
        for line, text in parts:
            kind, *more = line.split(" ", 1)
            digest = hashlib.sha256(text.encode()).hexdigest()
            lines.append(" ".join([f"part: {len(text.encode())} {kind} sha256={digest}", *more]))
        return deliver(("\n".join(lines) + "\n\n" + "".join(text for _, text in parts)).encode())

    def file_of(ident, name="message.ima"):
        whole = bob / "msg" / ident[:2] / f"{ident}.ima"
        return whole if whole.exists() else whole.with_suffix("") / name

    def read(*words):
        return run(t.program("ima-read"), bob, "inbox", *words)

    # Characters of three octets and lines of all lengths, so that pieces end in every place.
    lines = ["京" * n for n in range(300)] + ["都" * 100_000]
    long = give("\n".join(lines))
    shown = read(long).out
    t.equal("a long text", shown.split("\n\n", 1)[1], "\n".join(lines) + "\n")

    there = Client(t, office.address, ca, "bob")
    there.ask(f"COPY inbox inbox {long}")
    t.equal("beside a copy its id says which", read(long).code, 0)
    several = read(long[:20])
    t.equal("and less of it does not", (several.code, "several messages" in several.err), (64, True))

    photo = b.place / "photo.bin"
    photo.write_bytes(os.urandom(400_000))
    with_photo = give("look\n", "--attach", photo)
    to = t.work / "to"
    to.mkdir()
    limited = run("sh", "-c", 'trap "" XFSZ; ulimit -f 100; exec "$@"', "sh", t.program("ima-read"), bob,
                  "inbox", with_photo, "--save", to)
    t.equal("where there is no room", limited.code, 75)
    t.equal("nothing is left", list(to.iterdir()), [])
    nowhere = read(with_photo, "--save", to / "nowhere")
    t.equal("a directory that is not there is said once", (nowhere.code, len(nowhere.lines()),
                                                         nowhere.err.count("nowhere")), (64, 0, 1))
    t.equal("an empty id is none", read("").code, 64)
    t.equal("later there is", read(with_photo, "--save", to).lines(), [f"{to}/2-photo.bin"])
    t.true("and it is whole", (to / "2-photo.bin").read_bytes() == photo.read_bytes())
    t.equal("nothing is written over", read(with_photo, "--save", to).code, 2)
    t.equal("and nothing else left", [p.name for p in to.iterdir()], ["2-photo.bin"])

    # HTML, and other texts.
    def text_of(ident):
        return read(ident).out.split("\n\n", 1)[1]

    html = "<style>p{color:red}</style><p>Sch&ouml;ne <b>Gr</b>&uuml;&szlig;e</p><p>\x1b[2J</p>"
    only = give_parts("html", ("text/html", html))
    t.equal("HTML is shown as text", text_of(only), "Schöne Grüße\n\n\\x1b[2J\n")
    t.equal("and can be saved as it is", read(only, "--save", to).lines(), [f"{to}/1"])
    t.equal("word for word", (to / "1").read_text(), html)
    both = give_parts("both", ("text/plain role=text", "plain\n"), ("text/html role=alternative", html))
    t.equal("once where it is there twice", text_of(both),
            f"plain\n\n[part 2: text/html, {len(html)} octets, no name]\n")
    hidden = give_parts("hidden", ("text/plain name=a\u200bb.txt", "x"))
    t.contains("nothing hides in a name", read(hidden).out, ", a\\u200bb.txt]")
    named = give_parts("named", ("text/markdown", "*note*\n"), ("text/plain name=notes.txt", "kept\n"))
    t.equal("a text with a name is a file", text_of(named),
            "*note*\n\n[part 2: text/plain, 5 octets, notes.txt]\n")
    t.equal("that is saved", read(named, "--save", to).lines(), [f"{to}/2-notes.txt"])

    # In the order of arrival, whatever was read since.
    def subjects(lines):
        return [line.split()[-1] for line in lines if line.split()[-1] in ("html", "both", "named", "long")]

    deliver(b.message("--to", "bob@b.example", "--subject", "x" * 3000 + " long"))
    listed = read().lines()
    t.equal("the newest is the last", subjects(listed), ["html", "both", "named"])
    t.true("a long subject is cut", max(map(len, listed)) < 250 and listed[-1].endswith("xx…"))
    t.true("it was not read yet", listed[-1].startswith("N "))
    read(both)
    t.equal("also when one was read again", subjects(read().lines()), ["html", "both", "named"])

    # Damage.
    two = b.place / "two.bin"
    two.write_bytes(os.urandom(100_000))
    broken = give("whole\n", "--attach", photo, "--attach", two)
    cut = give_parts("cut", ("text/plain", "lost\n"))
    changed = give_parts("changed", ("text/plain", "first\n"), ("text/markdown", "second\n"))
    read()
    os.truncate(file_of(cut), 20)
    file_of(broken, "2-photo.bin").write_bytes(os.urandom(400_000))
    file_of(changed).write_bytes(file_of(changed).read_bytes().replace(b"first", b"worst"))
    count = len(listed) + 3
    found = read()
    t.equal("one that is damaged hides no other", (found.code, len(found.lines())), (2, count))
    t.equal("it is named", [line.split()[:2] for line in found.lines() if "[message-damaged]" in line],
            [["!", cut[:12]]])
    t.contains("and counted", found.err, "1 failed [incomplete]")
    shown = read(changed)
    t.true("a changed text is not shown", "worst" not in shown.out, shown.out)
    t.contains("but named", shown.out, "[part 1: text/plain, 6 octets, no name: ")
    t.contains("with the other part", shown.out, "\nsecond\n")
    t.equal("the status says so", shown.code, 2)
    t.true("and it stays new", any(line.startswith(f"N {changed[:12]}") for line in read().lines()))
    header = file_of(changed)
    header.write_bytes(header.read_bytes().replace(b"subject: changed", b"subject: charged"))
    t.equal("nor is a changed header", (read(changed).code, read(changed).out), (75, ""))
    saved = t.work / "saved"
    saved.mkdir()
    (saved / "3-two.bin").write_text("mine")
    both_bad = read(broken, "--save", saved)
    t.equal("nothing damaged is saved, nothing written over", (both_bad.code, both_bad.out), (2, ""))
    t.contains("which says why", both_bad.err, "part 2: a part is not what its line says [message-damaged]")
    t.contains("for each", both_bad.err, "2 failed")
    (saved / "3-two.bin").unlink()
    t.equal("the other is", read(broken, "--save", saved).lines(), [f"{saved}/3-two.bin"])
    t.equal("and no half file is left", [p.name for p in saved.iterdir()], ["3-two.bin"])
