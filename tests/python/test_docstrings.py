"""Everything public has a docstring, and the examples in them do what they show."""

import doctest
import importlib
import inspect
import pkgutil

import ima
import pytest

MODULES = ["ima"] + [
    "ima." + m.name for m in pkgutil.iter_modules(ima.__path__) if not m.name.startswith("_")
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def members(kind):
    """The public members that a class itself defines."""
    for name, value in vars(kind).items():
        if name.startswith("_"):
            continue
        yield name, value.__func__ if isinstance(value, staticmethod) else value


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


EVERYTHING = [
    pytest.param(m, name, value, id=name)
    for m in map(importlib.import_module, MODULES)
    for name, value in documented(m)
]


@pytest.mark.parametrize("module, name, value", EVERYTHING)
def test_what_is_public_is_documented_and_its_examples_work(module, name, value):
    text = getattr(value, "__doc__", None)
    if isinstance(value, str):  # a class attribute, explained by its class
        return
    assert text and text.strip(), f"{name} has no docstring"
    names = {**vars(ima), **vars(module), "ima": ima}
    case = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    if case.examples:
        report = []
        outcome = doctest.DocTestRunner(optionflags=FLAGS).run(case, out=report.append)
        assert outcome.failed == 0, "".join(report)
