"""Both faces of the retrieval client against the post office, over real TLS."""

import io
import socket
import threading

import ima
import ima.mailbox
import ima.net
import ima.retrieval
import ima.service
import pytest

PASSWORD = b"secret"


@pytest.fixture
def users(bob):
    made = ima.service.Accounts()
    made.add("bob", mailbox=bob, password=ima.service.PasswordHash.make(PASSWORD, n=1024))
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
        raise KeyError("full")

    with pytest.raises(KeyError):
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
