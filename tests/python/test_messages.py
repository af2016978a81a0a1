"""The message model: addresses, header blocks, messages read in pieces, in memory and from files."""

import copy
import datetime
import io
import os
import pathlib
import pickle
import re

import ima
import ima.mailbox
import ima.retrieval
import ima.service
import ima.tls
import pytest

BLOCK = (
    b"ima: 1\n"
    b"date: 2026-11-23T18:30:00+09:00\n"
    b"from: Alice <alice@a.example>\n"
    b"to: Bob <bob@b.example>\n"
    b"bcc: dan@c.example\n"
    b"subject: Photos\n"
    b"\n"
)


def sample(size=300_000):
    return ima.Message.build(
        [("from", "alice@a.example"), ("to", "bob@b.example")],
        [ima.Part(b"hello\n", "text/plain"), ima.Part(bytes(range(256)) * (size // 256), name="x y")],
    )


def events(parser):
    while not isinstance(event := parser.next_event(), ima.NeedInput):
        yield event
        if isinstance(event, ima.MessageComplete):
            return


def test_addresses_compare_after_folding_and_are_keys():
    assert {ima.Address("Bob@b.example")} == {ima.Address("bob@b.example")}
    assert ima.Address("Bob@b.example") != "bob@b.example"


def test_an_error_says_whose_fault_which_rule_and_where():
    with pytest.raises(ima.RemoteProtocolError) as caught:
        ima.HeaderBlock.parse(b"ima: 1\nfrom alice@a.example\n\n")
    error = caught.value
    assert (error.kind, error.rule, error.place) == ("peer", "line-syntax", "header line 2")
    assert isinstance(error, ValueError)
    assert str(error).startswith("header line 2: ") and str(error).endswith("[line-syntax]")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.rule, str(again)) == (type(error), error.rule, str(error))


class Stopped(ima.TemporaryError):
    """An exception of a program's own, made in another way than its base."""

    def __init__(self, where):
        super().__init__(f"stopped at {where}", rule="stopped")
        self.where = where


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_exceptions_and_values_are_copied_whole(again):
    for error in (ima.ConnectionLost("gone", rule="no-verdict", place="b.example"), Stopped("b")):
        error.add_note("in the third try")
        same = again(error)
        assert (type(same), str(same), vars(same)) == (type(error), str(error), vars(error))
    for value in (ima.Address("Bob@b.example"), ima.Digest.of(b"x"),
                  ima.NamedAddress.parse("Bob <bob@b.example>"), sample().header, ima.Limits(),
                  ima.Limits(header_block=1 << 30, line=1.001, body_rate=0)):
        assert again(value) == value and repr(again(value)) == repr(value)
    long = ima.HeaderBlock.parse(
        b"ima: 1\nfrom: a@a.example\n" + b"to: b@b.example\n" * 1001 + b"\n",
        ima.Limits(recipients=2000))
    assert again(long) == long


def test_limits_show_what_is_not_usual():
    limits = ima.Limits(line=1.001, body=1000)
    assert repr(limits) == "Limits(body=1000, line=1.001)" and repr(ima.Limits()) == "Limits()"
    assert limits != ima.Limits() and limits != 5 and limits == ima.Limits(body=1000, line=1.001)


def test_records_are_equal_where_all_their_members_are():
    parts = [ima.retrieval.FolderInfo("inbox", "inbox"), ima.retrieval.FolderInfo("inbox")]
    assert parts[0] == ima.retrieval.FolderInfo("inbox", "inbox") and parts[0] != parts[1]
    assert parts[1] != "inbox"


def test_a_secret_that_is_no_bytes_is_not_quoted():
    with pytest.raises(TypeError) as caught:
        ima.service.PasswordHash.make("correct horse")
    assert "correct horse" not in str(caught.value)


@pytest.mark.parametrize("kind", [str, os.fsencode, pathlib.Path])
def test_paths_are_whatever_python_calls_a_path(tmp_path, kind):
    place = os.fsdecode(bytes(tmp_path) + b"/caf\xe9")  # no UTF-8
    os.mkdir(place)
    (pathlib.Path(place) / "m.ima").write_bytes(bytes(sample()))
    file = ima.MessageFile.open(kind(f"{place}/m.ima"))
    ima.mailbox.Mailbox.create(kind(f"{place}/box"))
    target = ima.mailbox.Target(kind(f"{place}/box"))
    assert target.path == f"{place}/box"
    assert ima.mailbox.deliver(file, [target])[0].problem is None
    assert ima.mailbox.contains(kind(target.path), file.header.digest)
    assert ima.mailbox.Mailbox.open(kind(f"{place}/box"), kind(f"{place}/index")).take_in() == 1
    queue = ima.service.Queue.open(kind(f"{place}/queue"))
    waiting = queue.message_path(queue.add(file).id)
    assert waiting.startswith(place) and ima.MessageFile.open(kind(waiting)).header == file.header
    with pytest.raises(ima.LocalProtocolError) as caught:
        ima.tls.Context(ca_file=kind(f"{place}/none"))
    assert "caf\\xe9" in str(caught.value)  # can be printed


def test_a_header_block_is_read_in_python_types():
    header = ima.HeaderBlock.parse(BLOCK)
    assert bytes(header) == BLOCK and len(header) == len(BLOCK)
    assert header.fields[-1] == ("subject", "Photos")
    assert header.from_.display_name == "Alice"
    zone = datetime.timezone(datetime.timedelta(hours=9))
    assert header.date == datetime.datetime(2026, 11, 23, 18, 30, tzinfo=zone)
    assert header.date.utcoffset() == datetime.timedelta(hours=9)
    assert [str(a) for a in header.recipients()] == ["bob@b.example", "dan@c.example"]
    assert header.mailer is None and header.first("x") is None


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_date_are_read(date):
    header = ima.HeaderBlock.parse(b"ima: 1\ndate: %s\nfrom: a@a.example\n\n" % date.encode())
    assert header.date.isoformat().replace("+00:00", "Z") == date


def test_a_copy_for_one_host_has_no_private_line_of_another():
    header = ima.HeaderBlock.parse(BLOCK)
    assert header.for_host("b.example").count("bcc") == 0
    assert header.for_host("c.example").count("bcc") == 1
    assert header.for_recipient("bob@b.example").digest == header.digest


def test_limits_bound_what_is_read():
    assert ima.HeaderBlock.parse(BLOCK, ima.Limits(header_block=len(BLOCK)))
    with pytest.raises(ima.RemoteProtocolError) as caught:
        ima.HeaderBlock.parse(BLOCK, ima.Limits(header_block=len(BLOCK) - 1))
    assert caught.value.rule == "header-limit"
    with pytest.raises(TypeError):
        ima.Limits(unknown=1)
    with pytest.raises(ValueError):
        ima.Limits(line=-1)


def test_every_limit_of_the_library_is_one_here():
    header = pathlib.Path(os.environ["IMA_TESTS"]).parent / "libima/include/ima/limits.hpp"
    names = re.findall(r"^  std::\S+ (\w+)(?: =|\{)", header.read_text(), re.M)
    assert len(names) > 30
    for name in names:
        value = getattr(ima.Limits(), name)
        assert getattr(ima.Limits(**{name: value + 1}), name) == value + 1


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_a_message_is_read_alike_in_pieces_of_any_size(size):
    message = sample(9_000)
    raw = bytes(message)
    parser = ima.MessageParser()
    parts = {}
    for at in range(0, len(raw), size):
        parser.feed(raw[at : at + size])
        for event in events(parser):
            if isinstance(event, ima.PartReceived):
                parts.setdefault(event.index, bytearray()).extend(event.data)
    assert [bytes(parts[i]) for i in sorted(parts)] == [bytes(p) for p in message.parts]


def test_slices_of_a_part_are_views_that_stay_valid():
    raw = bytes(sample())
    parser = ima.MessageParser()
    parser.feed(raw)
    views = [e.data for e in events(parser) if isinstance(e, ima.PartReceived)]
    assert all(v.obj is raw for v in views if len(v) > 0)
    del parser
    assert b"".join(views) == raw[-sum(map(len, views)) :]


def test_a_buffer_that_changes_after_it_was_fed_changes_nothing():
    raw = bytearray(bytes(sample(2_560)))
    parser = ima.MessageParser()
    parser.feed(raw)
    raw[:] = bytes(len(raw))
    assert isinstance(list(events(parser))[-1], ima.MessageComplete)


def test_a_damaged_part_and_a_short_message_are_refused():
    raw = bytearray(bytes(sample(2_560)))
    raw[-1] ^= 1
    with pytest.raises(ima.RemoteProtocolError) as caught:
        ima.Message.parse(raw)
    assert (caught.value.rule, caught.value.place) == ("part-digest", "part 2")
    for bad, rule in ((raw[:-1], "truncated"), (bytes(sample(2_560)) + b"x", "trailing")):
        with pytest.raises(ima.RemoteProtocolError) as caught:
            ima.Message.parse(bad)
        assert caught.value.rule == rule


def test_a_match_statement_takes_events_apart():
    parser = ima.MessageParser()
    parser.feed(BLOCK)
    match parser.next_event():
        case ima.HeaderReceived(header):
            assert header.subject == "Photos"
        case other:
            pytest.fail(repr(other))


def test_parts_of_a_file_are_file_objects(tmp_path):
    message = sample()
    path = tmp_path / "message.ima"
    path.write_bytes(bytes(message))
    file = ima.MessageFile.open(str(path))
    assert file.header == message.header
    part = file.open_part(2)
    assert isinstance(part, io.BufferedReader)
    part.seek(-6, io.SEEK_END)
    assert part.read() == bytes(message.parts[1])[-6:]
    part.seek(0)
    assert part.read() == bytes(message.parts[1])
    with pytest.raises(ima.LocalProtocolError):
        file.open_part(3)
    with pytest.raises(ima.LocalProtocolError) as caught:
        ima.MessageFile.open(str(tmp_path / "none"))
    assert caught.value.rule == "no-input"


def test_a_message_is_composed_of_files(tmp_path):
    (tmp_path / "a.txt").write_text("hello\n")
    made = ima.Composition(
        [("from", "a@a.example")], [ima.FilePart(str(tmp_path / "a.txt"), name="a.txt")])
    with open(tmp_path / "out.ima", "wb") as out:
        made.write(out)
    message = ima.Message.parse((tmp_path / "out.ima").read_bytes())
    assert message.header.parts[0].name == "a.txt" and bytes(message.parts[0]) == b"hello\n"
