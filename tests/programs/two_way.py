"""What the user moves, flags and deletes in his copy goes to the post office with --two-way, and without it
does not, whether the message was delivered, appended or copied there; where both sides changed a message
the post office's word counts, and nothing is lost."""

import hashlib

from harness import Domain, Tests, authority, stored
from imrp import Client, Copy, give

DELIVERED = ("moved", "deleted", "both", "stays", "filed", "came back", "flagged there",
             "moved here", "filed here")


def moves_and_deletions(t, there, copy, here):
    moved, deleted, both = (here.named("inbox", s) for s in ("moved", "deleted", "both"))
    here.ask(f"MOVE inbox kept {moved}")
    here.ask(f"FLAG kept {moved} +seen")
    here.ask(f"DELETE inbox {deleted}")
    here.ask(f"MOVE inbox kept {both}")
    there.ask(f"MOVE inbox other {both}")
    copy.fetch()
    t.true("without --two-way nothing goes back", {moved, deleted} < set(there.ids("inbox")))
    copy.fetch("--two-way")
    t.true("one left the inbox, one the mailbox", not {moved, deleted} & set(there.ids("inbox")))
    t.equal("the first was moved, and read", there.messages("kept"), {"moved": "seen"})
    t.equal("and is read here, too", here.messages("kept"), {"moved": "seen"})
    t.equal("moved on both sides: as at the post office", there.ids("other"), [both])


def deletions_against_moves(t, there, copy, here):
    back, flagged = (here.named("inbox", s) for s in ("came back", "flagged there"))
    here.ask(f"DELETE inbox {back} {flagged}")
    there.ask(f"MOVE inbox other {back}")
    there.ask(f"FLAG inbox {flagged} +flagged")
    copy.fetch("--two-way")
    t.true("deleted here and moved there: it comes back", back in here.ids("other"))
    t.true("and stays there", back in there.ids("other"))
    t.true("deleted here and flagged there: it is deleted", flagged not in there.ids("inbox"))
    t.true("on both sides", flagged not in here.ids("inbox"))


def moves_against_deletions(t, there, copy, here):
    moved, filed = (here.named("inbox", s) for s in ("moved here", "filed here"))
    here.ask(f"MOVE inbox kept {filed}")
    there.ask(f"DELETE inbox {filed}")
    copy.fetch()
    t.true("one way, what was filed here stays", filed in here.ids("kept"))
    here.ask(f"MOVE inbox kept {moved}")
    there.ask(f"DELETE inbox {moved}")
    copy.fetch("--two-way")
    t.true("moved here and deleted there: it is deleted", moved not in here.ids("kept"))
    t.true("on both sides", moved not in there.ids("kept"))
    here.ask(f"DELETE kept {filed}")


def folder_of_my_own(t, there, copy, here):
    ident = here.named("inbox", "filed")
    here.ask("CREATE-FOLDER files/mine archive")
    here.ask(f"MOVE inbox files/mine {ident}")
    copy.fetch("--two-way")
    t.true("a folder that is only here is made there", "archive files/mine" in there.folders())
    t.equal("with what was moved to it", there.ids("files/mine"), [ident])
    there.ask(f"FLAG files/mine {ident} +answered")
    here.ask("CREATE-FOLDER only-here")
    copy.fetch("--two-way")
    t.equal("a later change there leaves it where it is", here.messages("files/mine"),
            {"filed": "answered"})
    here.ask(f"MOVE files/mine inbox {ident}")
    copy.fetch("--two-way")
    t.true("it can be moved back", ident in there.ids("inbox"))
    t.equal("a folder that nothing was moved to is not made", "- only-here" in there.folders(), False)


def forget_pairs(copy, here):
    """As a version left the copy that knew the ids here by those there alone."""
    def note(*words):
        name = hashlib.sha256("\n".join(words).encode()).hexdigest()
        (copy.place / "sync" / name.encode().hex()).unlink(missing_ok=True)

    for folder in ("drafts", "inbox"):
        note("paired", "b.example", "bob", folder)
        for ident in here.ids(folder):
            note("there", "b.example", "bob", ident)


def copies(t, there, copy, here):
    there.ask("CREATE-FOLDER drafts drafts")
    for subject in ("read", "thrown away", "sent", "thrown and moved", "twice"):
        there.append("drafts", subject, "draft")
    there.ask(f"COPY inbox drafts {there.named('inbox', 'stays')}")
    copy.fetch("--two-way")
    t.true("ids of one's own", not set(here.ids("drafts")) & set(there.ids("drafts")))
    forget_pairs(copy, here)
    named = {s: here.named("drafts", s) for s in here.messages("drafts")}
    here.ask(f"FLAG drafts {named['read']} +seen -draft")
    here.ask(f"DELETE drafts {named['thrown away']} {named['thrown and moved']}")
    here.ask(f"MOVE drafts kept {named['sent']}")
    here.ask(f"FLAG drafts {named['stays']} +flagged")
    here.ask(f"COPY drafts drafts {named['twice']}")
    mine = next(i for i in here.ids("drafts") if i not in named.values())
    here.ask(f"FLAG drafts {mine} +junk")
    there.ask(f"MOVE drafts other {there.named('drafts', 'thrown and moved')}")
    copy.fetch("--two-way")
    t.equal("flags and deletions go there", there.messages("drafts"),
            {"read": "seen", "twice": "draft", "stays": "flagged"})
    t.true("a move, too", "sent" in there.messages("kept"))
    t.true("deleted here and moved there: it comes back", "thrown and moved" in here.messages("other"))
    here.ask(f"DELETE drafts {mine}")
    copy.fetch("--two-way")
    t.true("a copy made here is nobody's there", "twice" in there.messages("drafts"))
    there.ask(f"DELETE drafts {there.named('drafts', 'read')}")
    copy.fetch("--two-way")
    t.equal("a deletion there comes here", sorted(here.messages("drafts")), ["stays", "twice"])


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    office = b.start("server-post-office")
    give(t, b, bob, *DELIVERED)
    there = Client(t, office.address, ca, "bob")
    there.ask("CREATE-FOLDER kept")
    there.ask("CREATE-FOLDER other")
    copy = Copy(t, b)
    copy.fetch("--two-way")  # takes note of the state
    t.equal("all is here", len(stored(copy.place)), len(DELIVERED))
    here = copy.office()
    moves_and_deletions(t, there, copy, here)
    deletions_against_moves(t, there, copy, here)
    moves_against_deletions(t, there, copy, here)
    folder_of_my_own(t, there, copy, here)
    copies(t, there, copy, here)
    copy.fetch("--two-way")
    for folder in ("inbox", "kept", "other", "drafts", "files/mine"):
        t.equal(f"{folder} is the same on both sides", here.messages(folder), there.messages(folder))
    t.equal("nothing is left to do", copy.fetch("--two-way").out, "")
    for server in (office, copy.server):
        t.equal("an orderly end", server.stop(), 0)
