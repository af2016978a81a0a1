"""Runs a command and sends an alert when it fails; for cron jobs and timers.

    cron_alert.py alert.toml READER COMMAND [ARGUMENT]...

The alert holds what the command printed, its last 64 KiB. The exit status is the command's own, or as a
shell's where it cannot be started: 127 where there is none, 126 otherwise. Nothing is run where the settings
cannot be read.
"""

import collections
import shlex
import subprocess
import sys

from postage import Settings, run, text_message

KEPT = 64 * 1024


def main(settings_file, reader, *command):
    settings = Settings(settings_file)
    status, output = run_command(command)
    if status != 0:
        subject = f"{shlex.join(command)} ended with {status}"
        text = output.decode(errors="replace") or "(it printed nothing)\n"
        report = settings.send(
            text_message(settings, reader, printable(subject), text, ("auto", "alert")))
        if report.outcome != "delivered":
            print(f"the alert was not delivered: {report}", file=sys.stderr)
            sys.stderr.buffer.write(output)
    return status


def run_command(command):
    """The exit status, as a shell tells it, and the end of what was printed."""
    last = collections.deque()
    size = 0
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        return 127 if isinstance(error, FileNotFoundError) else 126, f"{error}\n".encode()
    with process:
        while piece := process.stdout.read1(65536):
            last.append(piece)
            size += len(piece)
            while size - len(last[0]) >= KEPT:
                size -= len(last.popleft())
    status = process.returncode
    return (128 - status if status < 0 else status), b"".join(last)[-KEPT:]


def printable(text):
    """A header line has no control characters."""
    return "".join(c if c.isprintable() else " " for c in text).strip()[:200]


if __name__ == "__main__":
    run(main)
