"""Mailboxes from Python: many threads, forked children, and what is reported."""

import os
import sys
import threading

import ima
import ima.mailbox
import pytest
from ima.mailbox import Mailbox, Target, deliver


def message(subject="Hi"):
    return ima.Message.build(
        [("from", "alice@a.example"), ("to", "bob@b.example"), ("bcc", "dan@c.example"),
         ("subject", subject)],
        [ima.Part(b"hello\n", "text/plain"), ima.Part(b"x" * 5000, role="attachment", name="a b")])


def test_a_message_is_delivered_once_and_iterated(mailbox, bob):
    sent = message()
    first, again = (deliver(sent, [Target(bob, recipient="bob@b.example")])[0] for _ in range(2))
    assert (first.already, again.already) == (False, True) and first.problem is None
    assert ima.mailbox.contains(bob, sent.header.digest)
    mailbox.take_in()
    [entry] = mailbox.entries()
    assert entry.id == first.id and entry.arrived.tzinfo is not None
    stored = mailbox.header("inbox", entry.id)
    assert stored.header.count("bcc") == 0
    with mailbox.open_part("inbox", entry.id, 2) as part:
        part.seek(4990)
        assert part.read() == b"x" * 10
        for wrong in ((1.5,), ("1",)):
            with pytest.raises(TypeError):
                part.raw.seek(*wrong)
        with pytest.raises(ValueError):
            part.raw.seek(0, 7)
    with pytest.raises(ValueError):
        part.raw.seek(0)


def test_a_folder_of_many_pages_is_iterated_whole(mailbox, bob):
    for number in range(520):
        deliver(message(str(number)), [Target(bob)])
    assert mailbox.take_in() == 520
    assert len({e.id for e in mailbox.entries()}) == 520


def test_threads_that_share_an_iterator_get_each_entry_once(mailbox, bob):
    for number in range(40):
        deliver(message(str(number)), [Target(bob)])
    mailbox.take_in()

    def work(entries, found):
        found += [entry.id for entry in entries]

    for _ in range(100):
        entries, found = mailbox.entries(), []
        threads = [threading.Thread(target=work, args=[entries, found]) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(found) == len(set(found)) == 40


def test_one_target_that_fails_does_not_keep_the_others(bob, tmp_path):
    good, bad = deliver(message(), [Target(bob), Target(str(tmp_path / "none"))])
    assert good.problem is None
    assert isinstance(bad.problem, ima.MailboxError) and bad.problem.rule


def test_errors_tell_the_callers_fault_from_the_disks(mailbox, tmp_path):
    with pytest.raises(ima.MailboxCallError) as caught:
        mailbox.status("none")
    assert caught.value.rule == "no-folder" and isinstance(caught.value, ima.LocalProtocolError)
    with pytest.raises(ima.MailboxError):
        Mailbox.open(str(tmp_path / "none"))


def test_many_threads_use_one_mailbox(mailbox, bob):
    problems = []

    def work(number):
        try:
            for step in range(20):
                deliver(message(f"{number}.{step}"), [Target(bob)])
                mailbox.take_in()
                for entry in mailbox.entries():
                    mailbox.set_flags("inbox", [entry.id], add=[f"t{number}"])
                    break
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=[n]) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert problems == []
    mailbox.take_in()
    assert mailbox.status("inbox").messages == 120
    report = mailbox.check()
    assert report.missing == [] and report.torn == 0


def test_a_forked_child_is_refused_the_parents_mailbox_and_opens_its_own(mailbox, bob):
    deliver(message(), [Target(bob)])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with pytest.raises(ima.LocalProtocolError) as caught:
                mailbox.take_in()
            assert caught.value.rule == "forked"
            own = Mailbox.open(bob)
            assert own.take_in() == 1
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    mailbox.take_in()
    assert mailbox.status("inbox").messages == 1
