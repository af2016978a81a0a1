"""large_import PROGRAMS: a large mbox into a mailbox and out again as a Maildir, each with a kill in the
middle and in constant memory; nothing is lost or doubled. 200,000 messages where IMA_FULL is true."""

import os
import re
import signal
import subprocess
import time

from harness import FULL, Tests, peak_memory, run, stored

COUNT = 200_000 if FULL else 1500


def write_mbox(path):
    with open(path, "w", encoding="ascii") as out:
        for n in range(COUNT):
            out.write(f"From a@a.example Mon Jan  1 10:00:00 2024\nFrom: a@a.example\n"
                      f"To: b@b.example\nSubject: Letter {n}\nMessage-ID: <{n}@a.example>\n"
                      f"Date: Mon, 1 Jan 2024 10:00:00 +0000\n\nThis is letter {n}.\n\n")


def translate(t, source, target, start, place, kill_at=None):
    """Runs ima-translate, to its end or until kill_at() holds; its exit code, seconds and memory."""
    began = time.monotonic()
    errors = t.work / "errors"
    with open(errors, "wb") as out:
        child = subprocess.Popen([t.program("ima-translate"), "--from", source, "--to", target, start,
                                  place], stderr=out)
        peak = 0
        while child.poll() is None:
            peak = max(peak, peak_memory(child.pid))
            if kill_at and kill_at():
                child.send_signal(signal.SIGKILL)
                child.wait()
                break
            time.sleep(0.002)
    return child.returncode, time.monotonic() - began, peak, errors.read_text()


def size_of(path):
    return path.stat().st_size if path.exists() else 0


def finish(t, what, source, target, start, place):
    """Repeats the run that was killed: the rest comes, and then nothing more."""
    code, seconds, peak, said = translate(t, source, target, start, place)
    counts = re.findall(r"(\d+) translated, (\d+) there already, 0 failed", said)
    t.equal(f"{what}: the second run", code, 0)
    fresh, already = (int(n) for n in counts[0]) if counts else (0, 0)
    t.equal(f"{what}: all of it", fresh + already, COUNT)
    t.true(f"{what}: the kill was in the middle", fresh > 0 and already > 0, said)
    t.true(f"{what}: memory", peak < 64 << 20, f"{peak >> 20} MiB")
    print(f"{what}: {fresh} of {COUNT} in {seconds:.0f} s, {peak >> 10} KiB")


def ids_of(maildir):
    found = []
    for part in ("new", "cur"):
        for entry in os.scandir(maildir / part):
            with open(entry.path, "rb") as mail:
                found += re.findall(rb"^Message-ID: <(\d+)@", mail.read(2000), re.M)
    return sorted(int(n) for n in found)


with Tests() as tests:
    mbox, box, back = (tests.work / name for name in ("all.mbox", "box", "back"))
    write_mbox(mbox)
    third = 40 * COUNT  # octets of the journal
    killed = translate(tests, "mbox", "mailbox", mbox, box, lambda: size_of(box / "journal") > third)
    tests.equal("the import is killed", killed[0], -signal.SIGKILL)
    finish(tests, "import", "mbox", "mailbox", mbox, box)
    tests.equal("each is there once", len(stored(box)), COUNT)
    checked = run(tests.program("ima-admin"), "mailbox", "check", box, timeout=900)
    tests.equal("the mailbox is sound", checked.code, 0)

    def half():
        return sum(len(list(back.glob(f"{part}/*"))) for part in ("new", "cur")) > COUNT // 10

    killed = translate(tests, "mailbox", "maildir", box, back, half)
    tests.equal("the export is killed", killed[0], -signal.SIGKILL)
    finish(tests, "export", "mailbox", "maildir", box, back)
    tests.equal("each comes out once", ids_of(back), list(range(COUNT)))
