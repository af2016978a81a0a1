"""A backup and its restoring, by the very commands of docs/operating.md section 6: mail comes in again,
and no program that saw more than the backup has takes the older journal for the one it knows."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from harness import Domain, Tests, authority, run
from imrp import Client, Copy, give

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/operating.md"


def documented(t, box):
    """The two blocks of commands, for this mailbox, run by whoever runs this test."""
    section = PAGE.read_text().split("\n## 6. Backups\n")[1].split("\n## 7.")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", section, re.M | re.S)
    t.equal("backup and restore are documented", len(blocks), 2)
    here = {"/var/lib/ima/mail/bob": str(box), "/backup": str(t.work / "backup"), "sudo -u ima ": "",
            "chown -R ima:ima": f"chown -R {os.getuid()}:{os.getgid()}",
            "ima-admin": str(t.program("ima-admin"))}
    for there, mine in here.items():
        blocks = [text.replace(there, mine) for text in blocks]
    return blocks


def shell(t, what, commands):
    done = subprocess.run(["sh", "-euc", commands], capture_output=True, text=True, check=False)
    t.equal(f"{what}: {done.stdout}{done.stderr}", done.returncode, 0)


if shutil.which("rsync") is None:
    print("skipped: there is no rsync")
    sys.exit(77)

with Tests() as t:
    b = Domain(t, authority(t.work / "ca"), "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")
    (t.work / "backup").mkdir()
    backup, restore = documented(t, bob)

    give(t, b, bob, "before 1", "before 2")
    Client(t, office.address, b.ca, "bob").ask("STATUS inbox")
    shell(t, "the backup is made", backup)
    give(t, b, bob, "after 1", "after 2", "after 3")
    client = Client(t, office.address, b.ca, "bob")
    client.ask("CHANGES inbox 0 1000")
    token = client.end.split()[0]
    copy = Copy(t, b)
    copy.fetch()

    office.stop()
    shutil.rmtree(bob)
    # As a tool for backups may do it.
    shell(t, "empty directories are left out", f"find {t.work}/backup -type d -empty -delete")
    shell(t, "the mailbox is restored", restore)
    checked = run(t.program("ima-admin"), "mailbox", "check", bob, "--contents")
    t.equal(f"and sound: {checked.out}", checked.code, 0)

    office = b.start("server-post-office")
    given = [f"given {i}" for i in range(8)]
    for subject in given:
        give(t, b, bob, subject)
        client = Client(t, office.address, b.ca, "bob")
        client.ask("STATUS inbox")
    wanted = sorted(["before 1", "before 2", *given])
    t.equal("what the backup has and what came since is there", sorted(client.messages("inbox")),
            wanted)
    client.lines.write(f"CHANGES inbox {token} 1000\n".encode())
    client.lines.flush()
    t.contains("a token of the time after the backup is not known",
               client.lines.readline().decode(), "FAIL resync")
    t.equal("a copy gets all that is new", len(copy.fetch().lines()), len(given))
    t.equal("and is as the post office is", sorted(copy.office().messages("inbox")), wanted)
