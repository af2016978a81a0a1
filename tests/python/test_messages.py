"""The message model: addresses, header blocks, messages read in pieces, in memory and from files."""

import datetime
import io
import pickle

import ima
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
