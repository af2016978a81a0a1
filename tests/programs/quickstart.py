"""The quick start does what it says, and what it tells a person to do by hand works."""

import os
import pathlib
import signal
import subprocess
import time

from harness import Tests, run

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "examples" / "quickstart.sh"


def printed_commands(output, seconds=60):
    """The lines that the script prints for another terminal, or None."""
    for _ in range(seconds * 10):
        text = output.read_text(errors="backslashreplace")
        if "In another terminal:" in text and text.count("fetch-mail --config") == 1:
            return text.split("In another terminal:\n")[1]
        time.sleep(0.1)
    return None


with Tests() as t:
    environment = {"IMA_BUILD": str(t.programs.parent)}
    shown = run("bash", SCRIPT, env=environment)
    t.equal("quick start", shown.code, 0)
    for part in ["holiday in Kyōto.jpg", "OK bob@b.example", "The picture is the one that was sent."]:
        t.contains("quick start shows", shown.out, part)

    place, output = t.work / "served", t.work / "output"
    with open(output, "wb") as out:
        process = subprocess.Popen(["bash", str(SCRIPT), "--serve", str(place)], stdout=out,
                                   stderr=subprocess.STDOUT,
                                   env={**os.environ, **environment})
    commands = printed_commands(output)
    t.true("it says what to do", commands is not None, output.read_text())
    by_hand = run("bash", "-euc", commands or "false")
    t.equal("what it says works", by_hand.code, 0)
    t.contains("sent", by_hand.out, "OK bob@b.example")
    t.contains("fetched", by_hand.out, " Hi\n")
    process.send_signal(signal.SIGINT)
    t.equal("it ends when interrupted", process.wait(60), 0)
    logs = [log.read_text() for log in place.rglob("server-*.log")]
    t.equal("with its four servers", ["stopped" in log for log in logs], [True] * 4)
