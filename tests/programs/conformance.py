"""Many clients at one account of a post office see the same (tests/conformance/imrp.cpp)."""

import pathlib
import sys

from harness import FULL, Domain, Tests, authority, run

with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    b.add_user("bob")
    b.start("server-post-office")
    config = b.write("bob.toml", b.fetch_settings("bob"))
    tester = pathlib.Path(sys.argv[1]).resolve().parent / "tests/conformance/imrp-conformance"
    size = ["--clients", 8, "--rounds", 50, "--commands", 200] if FULL else ["--rounds", 3]
    for seed in range(1, 11 if FULL else 2):
        done = run(tester, "--config", config, *size, "--seed", seed, timeout=3000)
        t.equal(f"seed {seed}", (done.code, done.out.split(", ")[1:2], done.err),
                (0, ["0 complaints"], ""))
