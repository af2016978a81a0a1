"""The Python of docs/python.md runs as it stands there, one block after the other."""

import os
import pathlib
import re

PAGE = pathlib.Path(os.environ["IMA_TESTS"]).parent / "docs/python.md"


def test_the_tour_runs(authority, capsys):
    for domain in ("a.example", "b.example"):
        authority.issue(domain)
    names = {"certificates": str(authority.place), "__name__": "tour"}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 4
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    assert "Alice <alice@a.example> Photos\nb'Hello Bob\\n'" in printed
    assert printed.count("part 1 10 octets\npart 2 2 octets\nfrom a.example\n") == 2
    assert "['seen'] b'Hello Bob\\n'" in printed
