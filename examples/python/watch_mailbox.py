"""Runs a command for each message that comes into a mailbox, the message on its standard input.

    watch_mailbox.py [--once] MAILBOX COMMAND [ARGUMENT]...

A message counts as handled, and gets the flag `handled`, when the command exits with 0; otherwise it
is tried again when the mailbox changes next. A crash in between runs the command twice, never not at
all.
"""

import contextlib
import shutil
import subprocess
import time

import ima.mailbox

from postage import OK, run, usage


def main(*words):
    once = words[:1] == ("--once",)
    path, *command = (words[1:] if once else words) or usage()
    if not command:
        usage()
    box = ima.mailbox.Mailbox.open(path)
    watch = ima.mailbox.Watch(path)
    while True:
        if watch.changed():
            hand_over_all(box, command)
        if once:
            return OK
        time.sleep(0.5)


def hand_over_all(box, command):
    box.take_in()
    for entry in box.entries("inbox"):
        if "handled" not in entry.flags and hand_over(box, entry.id, command):
            box.set_flags("inbox", [entry.id], add=["handled"])


def hand_over(box, id, command):
    """True where the command took the whole message."""
    stored = box.header("inbox", id)
    if stored is None:
        return False  # somebody deleted it
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        # A command that has read enough may close its input; its exit status says what it thinks.
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(bytes(stored.header))
            for number in range(1, len(stored.header.parts) + 1):
                with box.open_part("inbox", id, number) as part:
                    shutil.copyfileobj(part, process.stdin)
    return process.returncode == 0


if __name__ == "__main__":
    run(main)
