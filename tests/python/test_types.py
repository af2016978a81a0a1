"""The stubs say what the module has, and the package is typed without a gap."""

import os
import pathlib
import subprocess
import sys

import ima
import pytest

pytest.importorskip("mypy")
PACKAGE = pathlib.Path(ima.__file__).parent
STUBS = pathlib.Path(os.environ["IMA_TESTS"]).parent / "bindings/python"


# What stubtest says of every class made by pybind11, whatever its stub says.
OF_PYBIND11 = ("is inconsistent, metaclass differs", 'stub does not have *args argument "args"')


def mypy(tmp_path, *arguments):
    environment = dict(os.environ, MYPYPATH=str(STUBS), MYPY_CACHE_DIR=str(tmp_path))
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment, cwd=tmp_path, capture_output=True, text=True)


def test_the_stubs_have_exactly_the_names_of_the_extension(tmp_path):
    done = mypy(tmp_path, "mypy.stubtest", "ima._ima")
    assert "checked" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr
    found = ["error: " + text for text in ("\n" + done.stdout).split("\nerror: ")[1:]]
    wrong = [text for text in found if not text.splitlines()[0].endswith(OF_PYBIND11)]
    assert not wrong, "\n".join(wrong)


def test_the_package_is_typed_strictly(tmp_path):
    done = mypy(tmp_path, "mypy", "--strict", "-p", "ima")
    assert done.returncode == 0, done.stdout + done.stderr
