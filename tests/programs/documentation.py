"""The examples that the specification prints are true, and openssl holds the conversation by hand."""

import hashlib
import pathlib
import re
import zlib

from harness import Domain, Tests, authority, run

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def octets_of_table(section, whose=""):
    """The text that the rows "| count | `text` |" spell, after their counts were checked."""
    text = ""
    for count, row in re.findall(rf"^\| (\d+) \| {whose}`(.*)` \|$", section, re.M):
        row = row.replace("␊", "\n")
        t.equal(f"octets of {row!r}", len(row.encode()), int(count))
        text += row
    return text.encode()


with Tests() as t:
    section = (DOCS / "message.md").read_text().split("\n## 9. Worked example\n")[1]
    message = octets_of_table(section)
    size, whole, with_bcc = (int(n) for n in re.search(
        r"block has (\d+) octets.*message (\d+).*block has (\d+) octets", section, re.S).groups())
    t.equal("the message", (len(message), message[-7:]), (whole, b"\nhello\n"))
    t.contains("its digest", section, hashlib.sha256(message[:size]).hexdigest())
    t.equal("with a blind copy", size + len("bcc: dan@b.example\n"), with_bcc)

    section = (DOCS / "mailbox.md").read_text().split("\n## 5. The journal\n")[1]
    journal = re.search(r"^```\n(ima-journal 1 .*?)^```$", section, re.M | re.S).group(1)
    for line in journal.splitlines()[1:]:
        t.equal(f"checksum of {line[9:40]}", line[:8], f"{zlib.crc32(line[9:].encode()):08x}")
    dump = re.search(r"^```\n(00000000: .*?)^```$", section, re.M | re.S).group(1)
    shown = bytes.fromhex("".join(line[10:49] for line in dump.splitlines()))
    t.equal("its first octets", shown, journal.encode()[:len(shown)])

    page = (DOCS / "delivery.md").read_text()
    offered = octets_of_table(re.split(r"\n## \d+\. Worked example\n", page)[1], "C \\| ")
    t.true("the offer in delivery", offered.startswith(b"MAIL 195\nima: 1\n"), offered)
    section = page.split("\n### By hand\n")[1]
    conversation, command, first, second = re.findall(r"^```\w*\n(.*?)^```$", section, re.M | re.S)

    ca = authority(t.work)
    a, b = Domain(t, ca, "a.example"), Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    server = b.start("server-receive")
    # What the quick start leaves in its directory.
    (t.work / "ca.pem").write_bytes(ca.pem.read_bytes())
    b.write("server-receive.address", server.address + "\n")
    (t.work / "conversation").write_text(conversation)
    t.equal("the conversation is the example", conversation.encode(), offered)

    t.equal("the conversation", run("sh", "-c", command, cwd=t.work).out, first)
    t.equal("the conversation again", run("sh", "-c", command, cwd=t.work).out, second)
    t.equal("the message", [p.read_bytes()[-11:] for p in bob.glob("new/*.ima")], [b"hello, bob\n"])
