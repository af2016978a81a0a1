"""The stubs say what the module has, and the package is typed without a gap."""

import ast
import importlib
import inspect
import os
import pathlib
import pydoc
import subprocess
import sys
import traceback

import ima
import ima.aio
import ima.delivery
import ima.mailbox
import ima.net
import ima.retrieval
import ima.service
import ima.tls
import pytest

pytest.importorskip("mypy")
PACKAGE = pathlib.Path(ima.__file__).parent
STUBS = pathlib.Path(os.environ["IMA_TESTS"]).parent / "bindings/python"

# The stubs of parts that libima was built without.
LEFT_OUT = {"translate"} - set(vars(ima._ima))

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
    left_out = tuple(f"error: ima._ima.{part} failed to import" for part in LEFT_OUT)
    wrong = [text for text in found if not text.splitlines()[0].endswith(OF_PYBIND11)
             and not text.startswith(left_out)]
    assert not wrong, "\n".join(wrong)


def test_the_package_is_typed_strictly(tmp_path):
    done = mypy(tmp_path, "mypy", "--strict", "-p", "ima")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_program_that_imports_the_package_is_checked(tmp_path):
    """Wherever it was imported from, the build tree too."""
    (tmp_path / "program.py").write_text(
        "import ima\nima.Address('bob@b.example').host.upper()\nima.Address(3)\n")
    environment = dict(os.environ, MYPYPATH=str(PACKAGE.parent), MYPY_CACHE_DIR=str(tmp_path))
    done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "program.py"],
                          env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert "program.py:3: error" in done.stdout and "Found 1 error" in done.stdout, done.stdout


FLAWED = {
    "a surrogate": (lambda: ima.Address("\udcff@b.example"), "str (text with a surrogate"),
    "one within a list": (
        lambda: ima.Message.build([("from", "a@b.example"), ("subject", "\udcff")]),
        "list (text with a surrogate"),
    "below nothing": (
        lambda: ima.retrieval.SearchQuery(min_size=-1), "min_size=int (a negative number)"),
    "beyond all": (
        lambda: ima.retrieval.SearchQuery(max_size=2**64), "max_size=int (a number beyond 64 bits)"),
    "far beyond all": (
        lambda: ima.retrieval.SearchQuery(max_size=2**6400),
        "max_size=int (a number beyond 64 bits)"),
}


def test_octets_are_no_text():
    for call in (lambda: ima.Address(b"a@b.example"),
                 lambda: ima.Address(bytearray(b"a@b.example")),
                 lambda: ima.Message.build([(b"from", "a@b.example")]),
                 lambda: ima.retrieval.SearchQuery(subject=[b"x"])):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("what", FLAWED)
def test_a_value_of_the_right_type_is_refused_with_the_reason(what):
    call, text = FLAWED[what]
    with pytest.raises(TypeError) as caught:
        call()
    assert text in str(caught.value)


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


def stubs():
    for path in sorted((STUBS / "ima/_ima").glob("*.pyi")):
        if path.stem in LEFT_OUT:
            continue
        module = importlib.import_module(
            "ima._ima" if path.stem == "__init__" else f"ima._ima.{path.stem}")
        for name, names in in_stub(ast.parse(path.read_text()).body):
            if not name[-1].startswith("_") or name[-1] == "__init__":
                yield module, name, names


def found_in(module, name):
    for step in name:
        module = getattr(module, step)
    return module


@pytest.mark.parametrize("module, name, names", stubs(), ids=lambda v: ".".join(v) if isinstance(v, tuple) else "")
def test_inspect_and_help_name_every_argument(module, name, names):
    found = found_in(module, name[:-1] if name[-1] == "__init__" else name)
    if isinstance(found, property):
        return
    shown = inspect.signature(found).parameters
    if found is ima.Limits:  # members, each with its own docstring
        assert all(isinstance(getattr(found, n), property) for n in names)
        return
    assert set(shown) - {"self"} == names
    assert all(n in pydoc.render_doc(found) for n in names)


CLASSES = [
    value for module in (ima, ima.delivery, ima.mailbox, ima.net, ima.retrieval, ima.service, ima.tls)
    for value in vars(module).values()
    if inspect.isclass(value) and type(value).__name__ == "pybind11_type"]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_object_that_was_never_made_is_refused(kind):
    hollow = kind.__new__(kind)
    for name, value in vars(kind).items():
        if isinstance(value, property):
            with pytest.raises(TypeError, match="has not been called"):
                getattr(hollow, name)
        elif name in ("__eq__", "__repr__", "__str__", "__bytes__", "__len__", "__iter__"):
            with pytest.raises(TypeError, match="has not been called"):
                value(hollow, *(["x"] if name == "__eq__" else []))


SECRET = b"correct horse"
WRONG_CALLS = {
    "no user": lambda s: s.authenticate(None, SECRET),
    "a user who is no text": lambda s: s.authenticate("b\udcff", SECRET),
    "another argument": lambda s: s.authenticate("bob", SECRET, tiemout=5),
    "one too many": lambda s: s.authenticate("bob", SECRET, 5),
    "a password that is text": lambda s: s.authenticate("bob", SECRET.decode()),
    "no new password": lambda s: s.change_password(SECRET, None),
    "a hash that is none": lambda s: ima.service.Accounts().add(
        "bob", mailbox="/", password=SECRET),
    "a cost that is none": lambda s: ima.service.PasswordHash.make(SECRET, n="1"),
}


@pytest.mark.parametrize("call", WRONG_CALLS)
def test_no_wrong_call_shows_a_password(call):
    with pytest.raises(TypeError) as caught:
        WRONG_CALLS[call](ima.retrieval.ClientSession("b.example"))
    assert "correct horse" not in "".join(traceback.format_exception_only(caught.value))
