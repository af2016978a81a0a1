"""extract.py PAGE NUMBER: prints the C++ program that stands NUMBERth (from 0) in a Markdown page."""

import pathlib
import re
import sys

page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
sys.stdout.write(re.findall(r"^```cpp\n(.*?)^```$", page, re.M | re.S)[int(sys.argv[2])])
