"""The conversation that docs/delivery.md prints, held by openssl as it says there."""

import pathlib
import re

from harness import Domain, Tests, authority, run

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "delivery.md"

with Tests() as t:
    section = PAGE.read_text().split("\n### By hand\n")[1]
    conversation, command, first, second = re.findall(r"^```\w*\n(.*?)^```$", section, re.M | re.S)

    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    server = b.start("server-receive")
    # What the quick start leaves in its directory.
    (t.work / "ca.pem").write_bytes(ca.pem.read_bytes())
    b.write("server-receive.address", server.address + "\n")
    (t.work / "conversation").write_text(conversation)

    t.equal("the conversation", run("sh", "-c", command, cwd=t.work).out, first)
    t.equal("the conversation again", run("sh", "-c", command, cwd=t.work).out, second)
    t.equal("the message", [p.read_bytes()[-11:] for p in bob.glob("new/*.ima")], [b"hello, bob\n"])
