"""Internet mail to and from messages, where libima was built with it."""

import io
import pathlib
import signal

import ima
import ima.mailbox
import pytest

translate = pytest.importorskip("ima.translate")

MAIL = b"""From: Alice <alice@a.example>
To: bob@b.example
Subject: =?utf-8?q?Caf=C3=A9?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--x
Content-Type: image/jpeg
Content-Disposition: attachment; filename=sea.jpg
Content-Transfer-Encoding: base64

/9g=
--x--
"""


def test_mail_becomes_a_message_and_mail_again():
    made = translate.from_mail(MAIL)
    assert made.message.header.subject == "Café"
    assert [bytes(p) for p in made.message.parts] == ["café".encode(), b"\xff\xd8"]
    out = io.BytesIO()
    translate.to_mail(made.message, out.write)
    again = translate.from_mail(out.getvalue())
    assert again.message.header.digest == made.message.header.digest


def test_a_file_of_mail_streams(tmp_path):
    path = tmp_path / "one.eml"
    path.write_bytes(MAIL)
    out = io.BytesIO()
    translate.file_to_message(str(path), out.write)
    assert ima.Message.parse(out.getvalue()).header == translate.from_mail(MAIL).message.header

    def full(piece):
        raise OSError("full")

    with pytest.raises(OSError):
        translate.file_to_message(str(path), full)


def test_an_mbox_becomes_a_mailbox_and_a_maildir(tmp_path, bob, mailbox):
    (tmp_path / "old.mbox").write_bytes(
        b"From x\n" + MAIL + b"\nFrom y\n" + MAIL.replace(b"Alice", b"Al"))
    each = translate.transfer(str(tmp_path / "old.mbox"), bob, "mbox", "mailbox")
    assert len(each) == 2 and not any(t.problem for t in each)
    again = translate.transfer(str(tmp_path / "old.mbox"), bob, "mbox", "mailbox")
    assert all(t.already for t in again)
    mailbox.take_in()
    assert translate.mirror_to_maildir(mailbox, str(tmp_path / "Maildir")).written == 2
    assert translate.mirror_to_maildir(mailbox, str(tmp_path / "Maildir")).written == 0
    with pytest.raises(ValueError):
        translate.transfer("a", "b", "mbox", "paper")


def test_a_transfer_leaves_no_index_in_a_mailbox_and_tells_as_it_goes(tmp_path, bob):
    there = sorted(p.name for p in pathlib.Path(bob).iterdir())
    (tmp_path / "old.mbox").write_bytes(b"".join(b"From x\nSubject: %d\n\nx\n\n" % n for n in range(3)))
    told = []
    assert translate.transfer(tmp_path / "old.mbox", bob, "mbox", "mailbox", report=told.append) == []
    assert [one.already for one in told] == [False] * 3
    assert len(translate.transfer(bob, tmp_path / "out", "mailbox", "maildir")) == 3
    assert sorted(p.name for p in pathlib.Path(bob).iterdir()) == there
    translate.transfer(bob, tmp_path / "out", "mailbox", "maildir", index=tmp_path / "index")
    assert (tmp_path / "index").exists()

    def enough(one):
        raise OSError("enough")

    with pytest.raises(OSError, match="enough"):
        translate.transfer(bob, tmp_path / "again", "mailbox", "maildir", report=enough)


def test_an_interrupt_ends_a_transfer_and_leaves_what_it_wrote(tmp_path, bob, mailbox):
    (tmp_path / "old.mbox").write_bytes(
        b"".join(b"From x\nFrom: a@a.example\nSubject: %d\n\nx\n\n" % n for n in range(2000)))
    old = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(KeyboardInterrupt):
            translate.transfer(tmp_path / "old.mbox", bob, "mbox", "mailbox")
    finally:
        signal.signal(signal.SIGALRM, old)
    begun = len(list(mailbox.entries("inbox")))
    assert begun < 2000
    rest = translate.transfer(tmp_path / "old.mbox", bob, "mbox", "mailbox")
    assert sum(one.already for one in rest) == begun


def test_what_a_mirror_leaves_out_is_counted(tmp_path, bob, mailbox):
    (tmp_path / "old.mbox").write_bytes(b"From x\n" + MAIL)
    translate.transfer(tmp_path / "old.mbox", bob, "mbox", "mailbox")
    mailbox.take_in()
    next(pathlib.Path(bob).rglob("message.ima")).write_bytes(b"nonsense\n")
    done = translate.mirror_to_maildir(mailbox, tmp_path / "Maildir")
    assert (done.written, done.left_out) == (0, 1)
