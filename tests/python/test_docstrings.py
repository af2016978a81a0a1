"""Everything public has a docstring; the examples in them do what they show; and everything that a
program calls is used in an example that is run (docs/python.md section 7)."""

import ast
import doctest
import importlib
import inspect
import os
import pathlib
import pkgutil
import re

import ima
import pytest

MODULES = ["ima"] + [
    "ima." + m.name for m in pkgutil.iter_modules(ima.__path__) if not m.name.startswith("_")
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
TOUR = pathlib.Path(os.environ["IMA_TESTS"]).parent / "docs/python.md"


def members(kind):
    """The public members of a class, and of those of its bases that are not public themselves."""
    for base in kind.__mro__[:-1]:
        if base is not kind and not base.__name__.startswith("_") and base.__name__ != "Served":
            continue
        for name, value in vars(base).items():
            if name.startswith("_"):
                continue
            plain = isinstance(value, (staticmethod, classmethod))
            yield name, value.__func__ if plain else value


def documented(module):
    yield module.__name__, module
    for name in module.__all__:
        value = getattr(module, name)
        if not callable(value):
            continue
        yield f"{module.__name__}.{name}", value
        if inspect.isclass(value):
            for member, inner in members(value):
                yield f"{module.__name__}.{name}.{member}", inner


EVERYTHING = {
    name: (module, value)
    for module in map(importlib.import_module, MODULES)
    for name, value in documented(module)
}


def examples_of(name, module, value):
    names = {**vars(ima), **vars(module), "ima": ima}
    return doctest.DocTestParser().get_doctest(value.__doc__ or "", names, name, None, 0)


@pytest.mark.parametrize("name", EVERYTHING)
def test_what_is_public_is_documented_and_its_examples_work(name):
    module, value = EVERYTHING[name]
    if isinstance(value, str):  # a class attribute, explained by its class
        return
    text = getattr(value, "__doc__", None)
    assert text and text.strip(), f"{name} has no docstring"
    case = examples_of(name, module, value)
    if case.examples:
        report = []
        outcome = doctest.DocTestRunner(optionflags=FLAGS).run(case, out=report.append)
        assert outcome.failed == 0, "".join(report)


def used_in(text):
    """The names that Python text uses, whatever they are names of."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef):
            yield node.name


def used():
    for name, (module, value) in EVERYTHING.items():
        if not isinstance(value, str):
            for example in examples_of(name, module, value).examples:
                yield from used_in(example.source)
    for block in re.findall(r"^```python\n(.*?)^```", TOUR.read_text(), re.DOTALL | re.MULTILINE):
        yield from used_in(block)


def is_result(value):
    """Made by the library, to be read: a record, an iterator, an exception, or what it asks for."""
    return inspect.isclass(value) and (
        hasattr(value, "__match_args__") or hasattr(value, "__next__") or value is ima.Limits
        or issubclass(value, Exception) or getattr(value, "_is_protocol", False)
        or value.__name__ == "Handler")


def is_called(name):
    module, value = EVERYTHING[name]
    if inspect.ismodule(value) or isinstance(value, str) or is_result(value):
        return False
    return not is_result(EVERYTHING[name.rpartition(".")[0]][1])


def test_everything_that_is_called_is_used_in_an_example():
    seen = set(used())
    missing = [n for n in EVERYTHING if is_called(n) and n.rpartition(".")[2] not in seen]
    assert not missing, missing
