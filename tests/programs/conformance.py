"""Many clients at one account of a post office see the same, and what was acknowledged
(tests/conformance/imrp.cpp); and where somebody else meddles, that is noticed."""

import subprocess

from harness import FULL, Domain, Tests, authority, run
from imrp import Client

SIZE = (["--clients", 8, "--rounds", 50, "--commands", 50, "--seconds", 15] if FULL else
        ["--rounds", 3])
SEEDS = range(1, 11 if FULL else 2)


def meddled(t, office, ca, command, deed):
    """What the tester says while another client does DEED to every message in the inbox."""
    other = Client(t, office.address, ca, "bob")
    words = [str(w) for w in (*command, "--rounds", 1, "--commands", 60)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as tester:
        while tester.poll() is None:
            ids = other.ids("inbox")
            if ids:
                other.ask(deed(" ".join(ids)))
        return tester.returncode, tester.stdout.read()


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    b.add_user("bob")
    office = b.start("server-post-office")
    config = b.write("bob.toml", b.fetch_settings("bob"))
    command = [t.programs.parent / "tests/conformance/imrp-conformance", "--config", config]
    for seed in SEEDS:
        done = run(*command, *SIZE, "--seed", seed, timeout=3000)
        t.equal(f"seed {seed}", (done.code, done.out.split(", ")[1:2], done.err),
                (0, ["0 complaints"], ""))

    code, said = meddled(t, office, ca, command, lambda ids: f"FLAG inbox {ids} +own")
    t.equal("flags that nobody set are noticed", code, 1)
    t.contains("as what they are", said, " has own, against what was acknowledged last\n")
    code, said = meddled(t, office, ca, command, lambda ids: f"MOVE inbox test/one {ids}")
    t.equal("moves that nobody made are noticed", code, 1)
    t.contains("as what they are", said, " times more than it left\n")
