"""What happens at the post office happens to the copy that fetch-mail keeps: folders are renamed and go,
messages go, the journal is written anew, the mailbox is emptied by the copy itself. And what never was
there stays here."""

import subprocess
import time

from harness import FULL, Domain, Tests, authority, run, stored
from imrp import Client, Copy, give


def renamed_folders(t, there, copy, here):
    there.ask("CREATE-FOLDER Sent sent")
    there.ask("CREATE-FOLDER Drafts drafts")
    there.append("Sent", "from sent")
    copy.fetch()
    there.ask("RENAME-FOLDER Sent Out")
    copy.fetch()
    t.equal("a folder is renamed here", here.folders(), ["drafts Drafts", "inbox inbox", "sent Out"])
    t.equal("with what is in it", list(here.messages("Out")), ["from sent"])
    there.append("Out", "more")
    t.equal("and goes on", len(copy.fetch().lines()), 1)

    # Its name is another folder's by now.
    there.ask("RENAME-FOLDER Drafts Later")
    there.ask("CREATE-FOLDER Drafts")
    copy.fetch()
    t.equal("a role moves on", here.folders(),
            ["- Drafts", "drafts Later", "inbox inbox", "sent Out"])


def folders_that_go(t, there, copy, here):
    there.ask("CREATE-FOLDER old")
    there.append("old", "copied")
    there.ask(f"MOVE inbox old {there.named('inbox', 'goes with its folder')}")
    copy.fetch()
    t.equal("both are here", sorted(here.messages("old")), ["copied", "goes with its folder"])
    own = here.append("inbox", "my own")
    here.ask(f"MOVE inbox old {own}")
    there.ask("DELETE old " + " ".join(there.ids("old")))
    there.ask("DELETE-FOLDER old")
    copy.fetch()
    t.equal("what went with its folder goes here, what was never there stays",
            list(here.messages("old")), ["my own"])
    here.ask(f"DELETE old {own}")
    there.ask("CREATE-FOLDER old")
    copy.fetch()
    there.ask("DELETE-FOLDER old")
    copy.fetch()
    t.true("an empty folder goes", "- old" not in here.folders(), here.folders())


def journals_written_anew(t, b, bob, there, copy, here):
    sent = there.append("Out", "sent and deleted")
    copy.fetch()
    give(t, b, copy.place, "delivered here")
    here.ask("STATUS inbox")
    there.ask(f"DELETE inbox {there.named('inbox', 'goes before compaction')}")
    there.ask(f"DELETE Out {sent}")
    there.ask(f"MOVE inbox Later {there.named('inbox', 'moves')}")
    b.admin("mailbox", "compact", bob)
    copy.fetch()
    t.equal("what was deleted before a compaction goes", sorted(here.messages("inbox")),
            ["delivered here", "stays"])
    t.equal("and what moved, moves", list(here.messages("Later")), ["moves"])
    t.equal("a copy goes, too", sorted(here.messages("Out")), ["from sent", "more"])
    t.equal("nothing comes twice", copy.fetch().out, "")

    there.ask(f"DELETE Out {there.named('Out', 'more')}")
    lines = (bob / "journal").read_bytes().splitlines(keepends=True)
    (bob / "journal").write_bytes(b"".join(lines[:2] + [b"damage\n"] + lines[2:]))
    b.admin("mailbox", "repair", bob)
    there = Client(t, b.servers["server-post-office"].address, b.ca, "bob")
    copy.fetch()
    for folder in ("inbox", "Out", "Later"):
        wanted = sorted(there.messages(folder)) + ["delivered here"] * (folder == "inbox")
        t.equal(f"{folder} is as it is after a repair", sorted(here.messages(folder)), sorted(wanted))
    t.equal("nothing comes twice", copy.fetch().out, "")


def one_folder_at_a_time(t, b, there):
    copy = Copy(t, b, "some")
    copy.fetch("--folder", "inbox", "--folder", "Later", "--folder", "inbox")
    here = copy.office()
    t.equal("these and no others", here.folders(), ["drafts Later", "inbox inbox"])
    ident = there.named("inbox", "stays")
    there.ask(f"MOVE inbox Out {ident}")
    copy.fetch("--folder", "inbox")
    t.true("it left the one folder", ident not in here.ids("inbox"))
    copy.fetch("--folder", "Out")
    t.true("and comes with the other", ident in here.ids("Out"))
    copy.server.stop()


def emptied(t, b, bob, there):
    copy = Copy(t, b, "archive")
    if FULL:  # more than one request has room for
        there.ask("CREATE-FOLDER many")
        ident = there.append("many", "many")
        there.ask(f"COPY many many {ident}")
        while len(ids := there_ids(there, "many")) < 2500:
            there.ask("COPY many many " + " ".join(ids[:800]))
    count = len(stored(bob))
    for _ in range(2):
        copy.fetch("--delete-after")
        t.equal("everything is here", len(stored(copy.place)), count)
        t.equal("and nothing there", stored(bob), [])
    copy.fetch()
    t.equal("which no later run takes for a deletion", len(stored(copy.place)), count)
    b.admin("mailbox", "compact", bob)
    copy.fetch()
    t.equal("nor one that compares", len(stored(copy.place)), count)


def connections_that_end(t, b, bob):
    """A watch goes on over another connection where the post office ends one at its age."""
    office = b.start("server-post-office", sections='[limits]\nconnection-time = "3s"\n')
    copy = Copy(t, b, "watching")
    config = b.write("watch.toml", b.fetch_settings("bob"))
    watching = t.started(subprocess.Popen(
        [t.program("fetch-mail"), "--config", config, "--watch", copy.place],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    t.true("it connects again", office.wait_for(r"(?s)( user-proved .*){2}"), office.text())
    give(t, b, bob, "comes while it watches")
    for _ in range(600):
        if stored(copy.place):
            break
        time.sleep(0.05)
    t.equal("and brings what comes", len(stored(copy.place)), 1)
    t.equal("it stays", watching.poll(), None)
    watching.kill()
    t.equal("an orderly end", office.stop(), 0)


def there_ids(there, folder):
    return [line.split()[1] for line in there.ask(f"CHANGES {folder} 0 10000")]


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")
    give(t, b, bob, "stays", "moves", "goes with its folder", "goes before compaction")
    there = Client(t, office.address, ca, "bob")
    there.ask("STATUS inbox")
    copy = Copy(t, b)
    copy.fetch()
    here = copy.office()
    renamed_folders(t, there, copy, here)
    folders_that_go(t, there, copy, here)
    journals_written_anew(t, b, bob, there, copy, here)
    there = Client(t, office.address, ca, "bob")
    one_folder_at_a_time(t, b, there)
    emptied(t, b, bob, there)
    for server in (office, copy.server):
        t.equal("an orderly end", server.stop(), 0)
    connections_that_end(t, b, bob)
