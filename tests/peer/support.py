"""The harness of tests/programs, from its place beside this directory."""

import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS / "programs"))

from harness import Domain, Tests, authority, openssl, run, stored  # noqa: E402, F401
