"""The stubs say what the module has, and the package is typed without a gap."""

import ast
import inspect
import os
import pathlib
import subprocess
import sys

import ima
import ima.aio
import ima.net
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


# What only the one or the other can have: a server of ima.net has threads that deliver, and a
# client of ima.aio is made by connect(), too.
NOT_ALIKE = {
    ("DeliveryServer", "__init__"): {"workers", "connections_per_peer"},
    ("RetrievalClient", "__init__"): {"conversation"},
}


def names_of(function):
    given = function.args
    return {a.arg for a in given.args + given.kwonlyargs} - {"self", "cls"}


def in_stub(body):
    """The functions of a stub, and those of its classes, with the names of their arguments."""
    for node in body:
        if isinstance(node, ast.FunctionDef):
            yield (node.name,), names_of(node)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield (node.name, inner.name), names_of(inner)


STUB = ast.parse((STUBS / "ima/_ima/net.pyi").read_text())
CALLS = {name: names for name, names in in_stub(STUB.body) if name[-1] not in ("__enter__", "__exit__")}


def test_both_faces_have_the_same_names():
    assert ima.aio.__all__ == ima.net.__all__
    for name, *inner in CALLS:
        assert not inner or hasattr(getattr(ima.aio, name), inner[0]), (name, inner)


@pytest.mark.parametrize("name", CALLS, ids=".".join)
def test_both_faces_take_the_same_arguments(name):
    found = ima.aio
    for step in name:
        found = getattr(found, step)
    if isinstance(found, property) or found is getattr(ima.net, name[0]):
        return
    try:
        names = set(inspect.signature(found).parameters) - {"self", "cls"}
    except ValueError:  # of a class that both share
        return
    assert names ^ CALLS[name] == NOT_ALIKE.get(name, set())
