"""System calls that fail, one at a time, by strace: of a program, or of a server that runs."""

import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess

from harness import FULL, run
from messages import skip

FAILURES = ("EIO", "ENOSPC")
# Calls that strace cannot fail without changing what the program has open or runs at all.
NEVER = ("execve", "close", "mmap", "readlink", "access", "statfs")
# A promise rests on these: where one fails in the mailbox, nobody may be told that all went well.
PROMISES = ("write", "fdatasync", "fsync", "link", "rename", "mkdir")
MOST = 8 if FULL else 1  # turns of each kind of call that fail, of each operation


def require_strace():
    if shutil.which("strace") is None:
        skip("there is no strace")
    if run("strace", "-qq", "-o", os.devnull, "true").code != 0:
        skip("strace may trace nothing here")


def family(kind):
    """One name for linkat and link, renameat2 and rename."""
    return re.sub(r"(?<=[a-z])at2?$", "", kind)


def words(log, kinds="%file,%desc", failure=None, turn=None, path=None):
    """The strace of these calls, of which one fails: TURN counts them in each thread."""
    chosen = ["-f", "-y", "-o", log, "-e", f"trace={kinds}"]
    if failure:
        chosen += ["-e", f"inject={kinds}:error={failure}:when={turn}"]
    return ["strace", *map(str, chosen), *(("-P", str(path)) if path else ())]


@contextlib.contextmanager
def joined(pid, strace):
    """Traces a process that runs already."""
    with subprocess.Popen([*strace, "-p", str(pid)], stderr=subprocess.PIPE, text=True) as tracer:
        try:
            line = tracer.stderr.readline()
            if " attached" not in line:
                raise RuntimeError(f"strace: {line}")
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait()


def calls(log):
    """Thread, kind and arguments of each call, in order; what was unfinished is whole again."""
    begun = {}
    for line in log.read_text(errors="backslashreplace").splitlines():
        found = re.match(r"(\d+) +(?:<\.\.\. )?(\w+)(\(| resumed>)(.*)", line)
        if not found:
            continue
        thread, kind, how, rest = found.groups()
        if how == "(" and rest.endswith("<unfinished ...>"):
            begun[thread] = rest
            yield thread, kind, rest
        elif how == "(":
            yield thread, kind, rest
        elif "(INJECTED)" in rest:
            yield thread, kind, begun.get(thread, "") + rest


def turns(log, *places):
    """Which turns of which kinds of calls, of any thread, had to do with one of PLACES: at most MOST of
    each kind, spread over all of them."""
    counts, found = collections.Counter(), collections.defaultdict(set)
    for thread, kind, rest in calls(log):
        counts[thread, kind] += 1
        if kind not in NEVER and any(str(place) in rest for place in places):
            found[kind].add(counts[thread, kind])
    return {kind: _spread(sorted(these)) for kind, these in found.items()}


def _spread(numbers):
    """MOST of them; the first, the last, and those in between by equal steps."""
    if len(numbers) <= MOST:
        return numbers
    if MOST == 1:
        return [numbers[len(numbers) // 2]]
    return sorted({numbers[i * (len(numbers) - 1) // (MOST - 1)] for i in range(MOST)})


def failures(turn):
    """The errors that a call fails with: in short runs one of them, by turns."""
    return FAILURES if FULL else FAILURES[turn % 2:][:1]


def struck(log):
    """The arguments of the calls that strace made fail."""
    return [rest for _, _, rest in calls(log) if "(INJECTED)" in rest]
