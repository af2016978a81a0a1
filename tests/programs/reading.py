"""ima-read shows a text as it was written, finds a message by its id, and saves parts whole or not at all."""

import os

from harness import Domain, Tests, authority, run, stored
from imrp import Client

with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")

    def give(text, *words):
        before = set(stored(bob))
        run(t.program("server-give-recipient"), bob, "-", "bob@b.example",
            stdin=b.message("--to", "bob@b.example", *words, text=text))
        return (set(stored(bob)) - before).pop()

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
    t.equal("later there is", read(with_photo, "--save", to).lines(), [f"{to}/2-photo.bin"])
    t.true("and it is whole", (to / "2-photo.bin").read_bytes() == photo.read_bytes())
    t.equal("nothing is written over", read(with_photo, "--save", to).code, 75)
    t.equal("and nothing else left", [p.name for p in to.iterdir()], ["2-photo.bin"])
