"""The Python of docs/python.md and README.md runs as it stands there, one block after the other."""

import os
import pathlib
import re

import ima

TREE = pathlib.Path(os.environ["IMA_TESTS"]).parent
PAGE = TREE / "docs/python.md"


def run_blocks(page, names):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
    return len(blocks)


def test_the_snippet_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    message = ima.Message.build(
        [("from", "alice@a.example"), ("to", "bob@b.example"), ("subject", "Photos")],
        [ima.Part(b"hello\n", "text/plain")])
    (tmp_path / "message.ima").write_bytes(bytes(message))
    monkeypatch.chdir(tmp_path)
    assert run_blocks(TREE / "README.md", {"__name__": "readme"}) >= 1
    assert capsys.readouterr().out == "Photos\n"


def test_the_tour_runs(authority, capsys):
    for domain in ("a.example", "b.example"):
        authority.issue(domain)
    names = {"certificates": str(authority.place), "__name__": "tour"}
    assert run_blocks(PAGE, names) >= 4
    printed = capsys.readouterr().out
    assert "Alice <alice@a.example> Photos\nb'Hello Bob\\n'" in printed
    assert printed.count("part 1 10 octets\npart 2 2 octets\nfrom a.example\n") == 2
    assert "['seen'] b'Hello Bob\\n'" in printed
