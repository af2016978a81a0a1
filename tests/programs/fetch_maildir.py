"""fetch-mail keeps a Maildir beside its copy: mail programs find in it all that is at the post office,
only what changed is written, and the flags that they set go the whole way back."""

from harness import Domain, Tests, authority, run
from imrp import Client, give
from maildir_readers import (COUNT, by_dovecot, by_mblaze, by_mutt, by_notmuch, file_of, fill,
                             flags_in_box, set_file_flags)


def files_in(place):
    """What tells one state of the Maildir's files from another."""
    return {(str(p.relative_to(place)), p.stat().st_ino, p.stat().st_mtime_ns)
            for d in ("cur", "new", ".Archive/cur", ".Archive/new") for p in (place / d).iterdir()}


def listed(place):
    """The mail in the inbox, as text."""
    return "".join(p.read_text(errors="replace") for d in ("cur", "new")
                   for p in (place / d).iterdir())


with Tests() as t:
    ca = authority(t.work)
    b = Domain(t, ca, "b.example")
    bob = b.add_user("bob")
    fill(t.work / "source")
    run(t.program("ima-translate"), "--from", "maildir", "--to", "mailbox", t.work / "source", bob)
    server = b.start("server-post-office")
    copy, maildir = b.place / "copy", b.place / "maildir"

    def fetch(*words):
        done = b.fetch("bob", copy, "--two-way", "--maildir", maildir, *words)
        t.equal("fetched", (done.code, done.err), (0, ""))
        return done

    t.equal("all is new", len(fetch().lines()), COUNT + 1)
    before = files_in(maildir)
    t.equal("all is there", len(before), COUNT + 1)
    fetch()
    t.equal("what did not change is not written again", files_in(maildir), before)

    set_file_flags(maildir, 0, "FS")
    set_file_flags(maildir, 1, "")
    fetch()
    there = flags_in_box(t, bob)
    t.equal("a flag that was set goes to the post office", there["Grüße 0"], "FS")
    t.equal("one that was taken away, too", there["Grüße 1"], "")
    set_file_flags(maildir, 1, "S")
    fetch()

    # Another program of the user's, elsewhere.
    other = b.place / "other"
    other_maildir = b.place / "other-maildir"

    def fetch_other():
        done = b.fetch("bob", other, "--two-way", "--maildir", other_maildir)
        t.equal("fetched elsewhere", (done.code, done.err), (0, ""))

    fetch_other()
    set_file_flags(other_maildir, 3, "RS")
    fetch_other()
    fetch()
    t.true("a flag comes from elsewhere", file_of(maildir, 3).name.endswith(":2,RS"),
           file_of(maildir, 3).name)
    file_of(maildir, 2).unlink()
    fetch()
    t.true("a file that went comes back", file_of(maildir, 2).exists())

    by_notmuch(t, maildir)
    by_mblaze(t, maildir)
    by_dovecot(t, maildir, 4)
    by_mutt(t, maildir, "mutt", 5)
    by_mutt(t, maildir, "neomutt", 6)
    fetch()
    there = flags_in_box(t, bob)
    t.equal("what mail programs flagged is flagged at the post office",
            sorted(s for s, flags in there.items() if "F" in flags),
            [f"Grüße {n}" for n in (0, 4, 5, 6)])
    t.equal("and everything is still there", len(files_in(maildir)), COUNT + 1)
    t.equal("nothing is left to be done", fetch().out, "")

    # What cannot be shown there keeps no mail away: a damaged message.
    there = Client(t, server.address, ca, "bob")
    there.ask("CREATE-FOLDER " + "f" * 255)
    lost = file_of(maildir, 2)
    lost.unlink()
    damaged = copy / "msg" / lost.name.split(".")[1][:2] / lost.name.split(".")[1] / "message.ima"
    octets = damaged.read_bytes()
    damaged.write_bytes(b"nonsense\n")
    for subject in ("first", "second"):
        give(t, b, bob, subject)
        done = b.fetch("bob", copy, "--maildir", maildir)
        t.equal(f"{subject}: the rest is done", (done.code, done.out.endswith(f" {subject}\n")), (2, True))
        t.contains(f"{subject}: the damage is said", done.err, "[message-damaged]")
        t.contains(f"{subject}: and is shown", listed(maildir), f"Subject: {subject}\n")
    damaged.write_bytes(octets)
    (maildir / ".ima-mirror").write_text("nonsense\n")
    give(t, b, bob, "third")
    done = b.fetch("bob", copy, "--maildir", maildir)
    t.equal("with a damaged state", (done.code, done.out.endswith(" third\n")), (75, True))
    t.contains("which is said", done.err, "[mirror-state]")
    (maildir / ".ima-mirror").unlink()
    b.fetch("bob", copy, "--maildir", maildir)
    t.true("afterwards all is there", file_of(maildir, 2).exists() and "third" in listed(maildir))
    t.equal("whoever translates leaves no index in what others serve", list(bob.glob("index*")), [])
    t.equal("an orderly end", server.stop(), 0)
