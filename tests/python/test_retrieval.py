"""Both faces of the retrieval client against the post office, over real TLS."""

import asyncio
import collections
import concurrent.futures
import contextlib
import datetime
import io
import socket
import threading
import time

import ima
import ima.aio
import ima.mailbox
import ima.net
import ima.retrieval
import ima.service
import ima.tls
import pytest

PASSWORD = b"secret"


@pytest.fixture
def users(bob):
    made = ima.service.Accounts()
    made.add("bob", mailbox=bob, password=ima.service.PasswordHash.make(PASSWORD, n=1024),
             addresses=["bob@b.example"])
    return made


@pytest.fixture
def office(authority, users):
    tls = authority.context("b.example", protocol="imrp")
    with ima.net.RetrievalServer(users, tls, listen=["127.0.0.1:0"]) as server:
        yield {"b.example": server.addresses[0]}


@pytest.fixture
def connect(face, authority, office):
    def make(**named):
        tls = authority.context(protocol="imrp")
        return face.connect("b.example", tls, hosts=office, **named)

    return make


@pytest.fixture
def client(connect):
    made = connect()
    made.authenticate("bob", PASSWORD)
    yield made
    made.done()


def put(bob, *subjects, size=1000):
    for subject in subjects:
        message = ima.Message.build(
            [("from", "alice@a.example"), ("to", "bob@b.example"), ("subject", subject)],
            [ima.Part(b"hello\n", "text/plain"), ima.Part(bytes(range(250)) * (size // 250))])
        ima.mailbox.deliver(message, [ima.mailbox.Target(bob, recipient="bob@b.example")])


def test_a_folder_is_read(client, bob):
    put(bob, "one", "two", size=2_000_000)
    page = client.changes("inbox")
    assert len(page.changes) == 2 and not page.more
    assert client.status("inbox").messages == 2
    assert "inbox" in [f.name for f in client.folders()]
    ids = [c.id for c in page.changes]
    headers = client.headers("inbox", ids)
    assert [h.id for h in headers] == ids
    assert {ima.HeaderBlock.parse(h.block).subject for h in headers} == {"one", "two"}
    assert client.changes("inbox", page.token).changes == []


def test_parts_stream_whole_and_in_ranges(client, bob):
    put(bob, "one", size=2_000_000)
    [change] = client.changes("inbox").changes
    whole = io.BytesIO()
    assert client.fetch("inbox", change.id, 2, whole.write) == 2_000_000
    assert whole.getvalue() == bytes(range(250)) * 8000
    some = []
    assert client.fetch("inbox", change.id, 2, some.append, 1_999_990, 5) == 5
    assert b"".join(some) == whole.getvalue()[1_999_990:1_999_995]


def test_flags_copies_moves_and_deletions(client, bob, mailbox):
    mailbox.create_folder("archive", "archive")
    put(bob, "one", "two")
    page = client.changes("inbox")
    first, second = (c.id for c in page.changes)
    assert client.set_flags("inbox", [first, "0" * 64], add=["seen"]) == ["done", "gone"]
    [change] = client.changes("inbox", page.token).changes
    assert change.present.flags == ["seen"]
    stale = change.present.seq - 1
    assert client.set_flags("inbox", [first], add=["junk"], only_if_seq=stale) == ["changed"]
    [copy, none] = client.copy("inbox", "archive", [first, "0" * 64])
    assert copy and none == ""
    assert client.move("inbox", "archive", [second]) == ["done"]
    assert client.remove("archive", [copy]) == ["done"]
    assert [e.id for e in mailbox.entries("archive")] == [second]


def test_more_messages_than_a_request_has_room_for_are_named(client, bob, mailbox):
    mailbox.create_folder("archive", "archive")
    put(bob, "one", "two")
    first, last = (c.id for c in client.changes("inbox").changes)
    named = [first, *("%064x" % number for number in range(3000)), last]
    gone = ["gone"] * 3000
    assert [h.id for h in client.headers("inbox", named)] == [first, last]
    assert client.set_flags("inbox", named, add=["seen"]) == ["done", *gone, "done"]
    copies = client.copy("inbox", "archive", named)
    assert copies[0] and copies[-1] and set(copies[1:-1]) == {""}
    assert client.move("inbox", "archive", named) == ["done", *gone, "done"]
    assert client.remove("archive", [*copies[:1], *named[1:-1], copies[-1]]) == [
        "done", *gone, "done"]
    assert len(list(mailbox.entries("archive"))) == 2
    for call in (lambda: client.headers("inbox", []), lambda: client.move("inbox", "archive", [])):
        with pytest.raises(ima.LocalProtocolError) as caught:
            call()
        assert caught.value.rule == "id"


def test_ids_are_any_sequence_of_text_and_nothing_else(client, bob):
    put(bob, "one")
    [change] = client.changes("inbox").changes
    one = change.id
    many = ["0" * 64] * 3000  # more than one request has room for
    for ids in ((x for x in [one]), iter([one]), {one}, {one: 0}, one, one.encode(), None, 1, [1],
                [one, None], [one, *many, 5], [one, *many, "\udcff"]):
        for call in (lambda: client.headers("inbox", ids),
                     lambda: client.set_flags("inbox", ids, add=["seen"]),
                     lambda: client.remove("inbox", ids),
                     lambda: client.move("inbox", "archive", ids),
                     lambda: client.copy("inbox", "inbox", ids)):
            with pytest.raises(TypeError, match="ids: "):
                call()
    assert [c.present for c in client.changes("inbox").changes] == [change.present]
    for ids in ([one], (one,), collections.deque([one])):
        assert client.set_flags("inbox", ids, add=["seen"]) == ["done"]


def test_what_the_post_office_refuses_leaves_the_connection_usable(client):
    for call in (lambda: client.status("none"), lambda: client.changes("inbox", "9.9")):
        with pytest.raises(ima.Refused) as caught:
            call()
        assert caught.value.rule in ("no-folder", "resync")
    with pytest.raises((ima.LocalProtocolError, ima.RemoteProtocolError)):
        client.status("a\nb")
    assert client.status("inbox").messages == 0


def test_a_wrong_password_is_refused(connect):
    client = connect()
    with pytest.raises(ima.Refused) as caught:
        client.authenticate("bob", b"wrong")
    assert caught.value.rule == "auth"


def test_a_post_office_that_proves_another_domain_is_not_believed(face, authority, office):
    with pytest.raises(ima.Error) as caught:
        face.connect(
            "c.example", authority.context(protocol="imrp"),
            hosts={"c.example": office["b.example"]})
    assert caught.value.kind in ("peer", "temporary")


def test_nobody_there_is_a_connection_error(face, authority):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        where = "127.0.0.1:%d" % unused.getsockname()[1]
    with pytest.raises(ConnectionError) as caught:
        face.connect("b.example", authority.context(protocol="imrp"), hosts={"b.example": where})
    assert isinstance(caught.value, ima.TemporaryError) and caught.value.rule == "connection"


def test_a_post_office_that_says_nothing_times_out(face, authority):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = "127.0.0.1:%d" % silent.getsockname()[1]
        with pytest.raises(TimeoutError) as caught:
            face.connect(
                "b.example", authority.context(protocol="imrp"), hosts={"b.example": where},
                timeout=0.2)
    assert isinstance(caught.value, ima.TimedOut) and caught.value.rule == "timeout"


def test_a_connection_that_was_closed_is_of_no_use_and_does_no_harm(connect, face, authority):
    with connect() as client:
        client.authenticate("bob", PASSWORD)
        client.done()
        with pytest.raises(ima.LocalProtocolError) as caught:
            client.folders()
        assert caught.value.rule == "out-of-turn"
        for call in (client.done, lambda: client.wait_for_change(0.1)):
            with pytest.raises(ima.LocalProtocolError) as caught:
                call()
            assert caught.value.rule == "out-of-turn"
    with pytest.raises(KeyError):  # and not what closing meets
        with connect() as client:
            raise KeyError
    for call in (client.folders, client.done, lambda: client.wait_for_change(0.1)):
        with pytest.raises(ima.LocalProtocolError) as caught:
            call()
        assert caught.value.rule == "out-of-turn"


def test_a_client_is_left_while_a_call_is_running(connect):
    """By another thread, or from inside what the call calls: the call ends, and nothing is raised."""
    with connect() as client:
        client.authenticate("bob", PASSWORD)
        client.watch({"inbox": client.status("inbox").token})
        ended = []

        def wait():
            while not ended:
                try:
                    client.wait_for_change(30)
                except ima.Error as error:
                    if error.rule != "in-use":
                        ended.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        with pytest.raises(ima.LocalProtocolError, match="in-use"):
            while True:  # until it waits
                client.status("inbox")
        with pytest.raises(KeyError):
            client.__exit__(None, None, None)
            raise KeyError
    waiting.join()
    assert len(ended) == 1
    with pytest.raises(ima.LocalProtocolError) as caught:
        client.folders()
    assert caught.value.rule == "out-of-turn"


def test_a_time_that_is_none_is_refused_before_anything_is_sent(client):
    for call in (client.folders, client.done):
        with pytest.raises(ValueError):
            call(timeout=-1)
    with pytest.raises(ValueError):
        client.wait_for_change(float("nan"))
    assert client.folders()


def test_a_server_that_dies_leaves_the_outcome_unknown(face, authority):
    """It says the greeting over real TLS, and no more."""
    engine = ima.tls.Engine.server(authority.context("b.example", protocol="imrp"))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def die():
            peer, _ = listening.accept()
            with peer:
                while not engine.handshake_done:
                    engine.receive(peer.recv(65536))
                    engine.read(0)
                    peer.sendall(engine.take_output())
                engine.write(b"IMRP 1 b.example\n")
                peer.sendall(engine.take_output())
                peer.recv(65536)  # the request

        dying = threading.Thread(target=die)
        dying.start()
        client = face.connect(
            "b.example", authority.context(protocol="imrp"),
            hosts={"b.example": "127.0.0.1:%d" % listening.getsockname()[1]})
        with pytest.raises(ima.ConnectionLost) as caught:
            client.folders()
        dying.join()
    assert caught.value.kind == "unknown" and isinstance(caught.value, ConnectionError)


def test_a_task_that_ends_while_it_waits_for_changes_leaves_the_connection(authority, office, bob):
    async def use():
        async with await ima.aio.RetrievalClient.connect(
                "b.example", authority.context(protocol="imrp"), hosts=office) as client:
            await client.authenticate("bob", PASSWORD)
            await client.watch({"inbox": (await client.status("inbox")).token})
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.wait_for_change(), 0.05)
            put(bob, "one")
            assert (await client.wait_for_change(20)).folder == "inbox"

    asyncio.run(use())


class Slow:
    """Users whose proof takes as long as a test wants."""

    def __init__(self, bob):
        self.bob = bob
        self.go_on = threading.Event()

    def by_password(self, user, password):
        self.go_on.wait(30)
        return self.bob if password == PASSWORD else None

    def by_certificate(self, user, key, names):
        return None


def test_an_operation_has_its_own_time_out(face, authority, bob):
    slow = Slow(bob)
    tls = authority.context("b.example", protocol="imrp")
    with ima.net.RetrievalServer(slow, tls, listen=["127.0.0.1:0"]) as server:
        hosts = {"b.example": server.addresses[0]}
        try:
            client = face.connect("b.example", authority.context(protocol="imrp"), hosts=hosts)
            with pytest.raises(ima.TimedOut):
                client.authenticate("bob", PASSWORD, timeout=0.2)
            with pytest.raises(ima.TimedOut):  # the connection is over, and says why
                client.folders()
        finally:
            slow.go_on.set()


def test_nobody_proves_a_client_who_has_left(face, authority, bob):
    """One worker looks at proofs, and who waits for it gives up."""
    looked_at = []

    class Counting(Slow):
        def by_password(self, user, password):
            looked_at.append(user)
            return super().by_password(user, password)

    slow = Counting(bob)
    tls = authority.context("b.example", protocol="imrp")
    with ima.net.RetrievalServer(slow, tls, listen=["127.0.0.1:0"], workers=2) as server:
        def ask(user, timeout):
            client = face.connect("b.example", authority.context(protocol="imrp"),
                                  hosts={"b.example": server.addresses[0]})
            with contextlib.suppress(ima.TimedOut), client:
                client.authenticate(user, PASSWORD, timeout=timeout)

        try:
            stays = threading.Thread(target=ask, args=("stays", 30))
            stays.start()
            while not looked_at:
                time.sleep(0.01)
            ask("leaves", 0.2)
        finally:
            slow.go_on.set()
        stays.join()
        ask("comes", 30)
    assert looked_at == ["stays", "comes"]


def test_users_may_be_kept_by_python(face, authority, bob):
    users = Slow(bob)
    users.go_on.set()
    tls = authority.context("b.example", protocol="imrp")
    with ima.net.RetrievalServer(users, tls, listen=["127.0.0.1:0"]) as server:
        hosts = {"b.example": server.addresses[0]}
        with face.connect("b.example", authority.context(protocol="imrp"), hosts=hosts) as client:
            with pytest.raises(ima.Refused):
                client.authenticate("bob", b"wrong")
            client.authenticate("bob", PASSWORD)
            assert client.folders()


def test_what_a_callback_raises_comes_back_and_ends_the_connection(connect, bob):
    put(bob, "one")
    client = connect()
    client.authenticate("bob", PASSWORD)
    [change] = client.changes("inbox").changes

    def fail(piece):
        raise TimeoutError("full")  # and not taken for the client's own

    with pytest.raises(TimeoutError, match="full"):
        client.fetch("inbox", change.id, 2, fail)
    with pytest.raises(ima.Error):
        client.folders()


def test_a_second_call_at_the_same_time_is_refused(connect, bob):
    put(bob, "one")
    client = connect()
    client.authenticate("bob", PASSWORD)
    [change] = client.changes("inbox").changes
    seen = []

    def again(piece):
        inner = getattr(client, "_inner", client)
        try:
            made = inner.folders()
            made.send(None)  # a coroutine of the asyncio face
        except ima.LocalProtocolError as error:
            seen.append(error.rule)

    client.fetch("inbox", change.id, 1, again)
    assert set(seen) == {"in-use"}
    client.done()


def message(subject="Hi", size=1000, to="alice@a.example", **named):
    return ima.Message.build(
        [("id", ima.new_message_id("b.example")), ("from", "bob@b.example"), ("to", to),
         ("subject", subject)],
        [ima.Part(b"hello\n", "text/plain"), ima.Part(bytes(range(250)) * (size // 250), **named)])


def test_folders_are_made_renamed_and_deleted(client):
    assert {"folders", "append", "search", "quota", "watch"} <= set(client.capabilities)
    client.create_folder("kept", "archive")
    client.rename_folder("kept", "kept for good")
    assert ("kept for good", "archive") in [(f.name, f.role) for f in client.folders()]
    with pytest.raises(ima.Refused) as caught:
        client.create_folder("kept for good")
    assert caught.value.rule == "folder-exists"
    client.delete_folder("kept for good")
    assert "kept for good" not in [f.name for f in client.folders()]


def test_a_message_is_appended_streaming_and_found_again(client, tmp_path):
    one = message("Holiday in Kyoto", size=3_000_000)
    path = tmp_path / "one.ima"
    path.write_bytes(bytes(one))
    when = datetime.datetime(2026, 11, 23, 9, 30, tzinfo=datetime.timezone.utc)
    id = client.append("inbox", ima.MessageFile.open(str(path)), flags=["draft"], arrived=when)
    [change] = client.changes("inbox").changes
    assert change.id == id and change.present.flags == ["draft"] and change.present.arrived == when
    whole = io.BytesIO()
    client.fetch("inbox", id, 2, whole.write)
    assert whole.getvalue() == bytes(one.parts[1])
    empty = ima.Message.build([("from", "bob@b.example"), ("subject", "Nothing")])
    other = client.append("inbox", empty)

    query = ima.retrieval.SearchQuery(subject=["kyoto"], flags=["draft"], since=when)
    assert client.search("inbox", query).ids == [id]
    for hours in (2, -5):  # the same moment elsewhere
        there = when.astimezone(datetime.timezone(datetime.timedelta(hours=hours)))
        for query, found in (
                (ima.retrieval.SearchQuery(subject=["kyoto"], since=there), [id]),
                (ima.retrieval.SearchQuery(subject=["kyoto"], before=there), [])):
            assert client.search("inbox", query).ids == found
        copy = client.append("inbox", empty, arrived=there)
        [change] = [c for c in client.changes("inbox").changes if c.id == copy]
        assert change.present.arrived == when
        assert client.remove("inbox", [copy]) == ["done"]
    with pytest.raises(ima.LocalProtocolError, match="years 1 to 9999"):
        beyond = datetime.timezone(datetime.timedelta(hours=-5))
        client.append("inbox", empty, arrived=datetime.datetime.max.replace(tzinfo=beyond))
    everything = client.search("inbox", ima.retrieval.SearchQuery(), limit=1)
    assert len(everything.ids) == 1 and everything.cursor
    rest = client.search("inbox", ima.retrieval.SearchQuery(), everything.cursor)
    assert {*everything.ids, *rest.ids} == {id, other}


def test_the_quota_is_told_and_holds(client, mailbox):
    mailbox.set_quota(octets=10_000)
    assert client.quota().max_size == 10_000 and client.quota().max_messages is None
    with pytest.raises(ima.Refused) as caught:
        client.append("inbox", message(size=20_000))
    assert caught.value.rule == "quota"
    assert client.quota().messages == 0


def test_a_watched_folder_tells_of_new_mail(client, bob):
    token = client.status("inbox").token
    client.watch({"inbox": token})
    assert client.wait_for_change(0.01) is None
    put(bob, "one")
    now = client.wait_for_change(20)
    assert now.folder == "inbox" and now.token != token
    assert len(client.changes("inbox", token).changes) == 1
    client.watch({})
    assert client.wait_for_change(0.01) is None


@pytest.fixture
def sending(face, authority, users, local_handler, mailbox):
    """A client of b.example's post office, which sends to b.example."""
    with ima.net.DeliveryServer(
            local_handler, authority.context("b.example"), listen=["127.0.0.1:0"]) as incoming:
        sender = ima.net.Submitter(
            authority.context("b.example"),
            hosts={"b.example": incoming.addresses[0], "c.example": "127.0.0.1:1"})
        with ima.net.RetrievalServer(
                users, authority.context("b.example", protocol="imrp"), listen=["127.0.0.1:0"],
                sender=sender) as office:
            with face.connect(
                    "b.example", authority.context(protocol="imrp"),
                    hosts={"b.example": office.addresses[0]}) as client:
                client.authenticate("bob", PASSWORD)
                yield client


def test_the_post_office_sends(sending, mailbox):
    mailbox.create_folder("sent", "sent")
    first = message("One", to="bob@b.example")
    told = []
    sent = sending.send(first, save="sent", told=told.append)
    assert sent.verdict == "delivered" and [t.result.outcome for t in told] == ["OK"]
    assert [(str(o.recipient), o.outcome) for o in sent.outcomes] == [("bob@b.example", "OK")]
    assert [e.id for e in mailbox.entries("sent")] == [sent.saved]
    assert sending.send(first).verdict == "delivered"  # safe to repeat
    assert sending.status("inbox").messages == 1

    # What the post office has need not be uploaded.
    [change] = sending.changes("inbox").changes
    onward = sending.send(
        message("Two", to="bob@b.example"), forwarded=[("inbox", change.id)],
        parts={2: ("inbox", change.id, 2)})
    assert onward.verdict == "delivered"
    flags = {c.id: c.present.flags for c in sending.changes("inbox").changes}
    assert flags.pop(change.id) == ["forwarded"]
    [new] = flags
    whole = io.BytesIO()
    sending.fetch("inbox", new, 2, whole.write)
    assert whole.getvalue() == bytes(first.parts[1])


def test_what_cannot_be_sent_says_why(sending):
    with pytest.raises(ima.Refused) as caught:
        sending.send(ima.Message.build([("from", "eve@b.example"), ("to", "bob@b.example")]))
    assert caught.value.rule == "from"
    nobody = sending.send(message(to="nobody@b.example"))
    assert nobody.verdict == "refused" and nobody.outcomes[0].outcome == "FAIL"
    away = sending.send(message(to="carol@c.example"))
    assert away.verdict == "deferred" and away.outcomes[0].outcome == "DEFER"
    with pytest.raises(ima.Refused) as caught:
        sending.queue()  # this one sends at once or not at all
    assert caught.value.rule == "unsupported"


def test_what_waits_in_the_queue_is_shown_to_its_sender(face, authority, users, tmp_path):
    queue = ima.service.Queue.open(str(tmp_path / "queue"))
    sender = ima.net.Submitter(
        authority.context("b.example"), hosts={"c.example": "127.0.0.1:1"}, queue=queue)
    with ima.net.RetrievalServer(
            users, authority.context("b.example", protocol="imrp"), listen=["127.0.0.1:0"],
            sender=sender, indexes=str(tmp_path)) as office:
        with face.connect("b.example", authority.context(protocol="imrp"),
                          hosts={"b.example": office.addresses[0]}) as client:
            client.authenticate("bob", PASSWORD)
            sent = client.send(message(to="carol@c.example"))
            assert sent.verdict == "queued" and sent.outcomes[0].outcome == "QUEUED"
            [waits] = client.queue()
            assert str(waits.recipient) == "carol@c.example" and waits.text


@pytest.mark.parametrize("what", [KeyError, asyncio.CancelledError, GeneratorExit])
def test_what_the_told_function_raises_comes_back_when_the_message_is_sent(sending, what):
    def fail(event):
        raise what

    with pytest.raises((what, concurrent.futures.CancelledError)):  # the latter from another thread
        sending.send(message(to="bob@b.example"), told=fail)
    assert sending.status("inbox").messages == 1  # and the connection goes on


@pytest.mark.parametrize("face", ["aio"], indirect=True)
def test_a_send_that_is_ended_while_a_told_function_waits_is_over(sending):
    async def wait(event):
        await asyncio.sleep(60)

    with pytest.raises(ima.TimedOut):
        sending.send(message(to="bob@b.example"), told=wait, timeout=1)
    with pytest.raises(ima.TimedOut):
        sending.status("inbox")
