"""A post office whose users and mail a program makes up, behind the server of either face."""

import asyncio
import datetime
import io
import threading
import time

import ima
import ima.net
import ima.retrieval
import pytest
from conftest import STRANGE

PASSWORD = b"secret"
TOLD = ima.retrieval.RecipientOutcome("alice@a.example", "QUEUED", "later")


def message(subject):
    return ima.Message.build(
        [("id", ima.new_message_id("b.example")), ("from", "bob@b.example"),
         ("to", "alice@a.example"), ("subject", subject)],
        [ima.Part(b"hello\n", "text/plain"), ima.Part(bytes(range(250)) * 4)])


class Keeper:
    """Users that Python keeps, one with a mailbox and one whose mail it makes up."""

    capabilities = ["folders", "append", "search", "quota", "password", "watch", "send", "queue"]

    def __init__(self, bob):
        self.bob = bob
        self.password = PASSWORD
        self.message = message("Made up")
        self.kept = []
        self.sent = {}
        self.watching = {}
        self.admitted = True

    def by_password(self, user, password):
        if password != self.password:
            raise ima.Refused("no", rule="auth")
        return self if user == "eve" else self.bob

    def by_certificate(self, user, key, names):
        return None

    def change_password(self, *given):
        old, new = given[-2:]  # also for a user: (user, old, new)
        if old != self.password:
            raise ima.Refused("not the old one", rule="auth")
        self.password = new

    def folders(self):
        return [ima.retrieval.FolderInfo("inbox", "inbox")]

    def status(self, folder):
        if folder != "inbox":
            raise ima.Refused("no such folder", rule="no-folder")
        return ima.retrieval.FolderStatus(1, 1, 1000, "1.1")

    def changes(self, folder, token, limit):
        when = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc)
        entry = ima.retrieval.Entry("one", 1, 1000, ["seen"], when)
        return ima.retrieval.ChangePage([ima.retrieval.Change("one", entry)], "1.1", False)

    def header(self, folder, id):
        return (bytes(self.message.header), b"") if id == "one" else None

    def open_part(self, folder, id, part):
        octets = bytes(self.message.parts[part - 1])
        return octets if part == 1 else io.BytesIO(octets)

    def set_flags(self, folder, ids, add, remove, only_if_seq):
        return ["changed" if only_if_seq == 0 else "done" for _ in ids]

    def remove(self, folder, ids):
        return ["gone" for _ in ids]

    def move(self, folder, target, ids):
        return ["done" for _ in ids]

    def copy(self, folder, target, ids):
        return ["copied" for _ in ids]

    def search(self, folder, query, cursor, limit):
        return ima.retrieval.SearchPage(["one"] if query.subject == ["up"] else [])

    def quota(self):
        return ima.retrieval.QuotaStatus(1000, None, 1, 10)

    def append(self, folder, header, flags, arrived):
        kept = self.kept

        class Sink:
            def write(self, piece):
                kept.append(bytes(piece.data))

            def commit(self):
                return "two"

        return Sink()

    def create_folder(self, folder, role):
        raise RuntimeError("not today")

    def send(self, header, *, save, answered, forwarded, parts):
        if header.subject in self.sent:
            return self.sent[header.subject]
        self.asked = (save, answered, forwarded, parts)
        return Outgoing(self, header.subject)

    def queue(self):
        since = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc)
        return [ima.retrieval.QueuedMessage("0" * 64, "alice@a.example", since, text="away")]

    def watch(self, folders, tell, over):
        self.watching = folders
        self.tell, self.over = tell, over
        return self

    def close(self):
        self.watching = {}

    def may_go_on(self):
        return self.admitted

    def admits(self, user, mailbox, key, names):
        return self.admitted and (user, mailbox, key, names) == ("bob", self.bob, None, [])


class Outgoing:
    def __init__(self, keeper, subject):
        self.keeper, self.subject, self.octets = keeper, subject, b""

    def write(self, piece):
        self.octets += bytes(piece.data)

    def finish(self, outcome, note):
        outcome(TOLD)
        note("a.example", f"{len(self.octets)} octets")
        self.kept = outcome, note
        self.keeper.sent[self.subject] = ima.net.Submitted("queued", "copy", [TOLD], [])
        self.keeper.last = self
        return ima.retrieval.SendEnd("queued", "copy")


class Later:
    """The same, its methods coroutine functions."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        value = getattr(self.inner, name)
        if not callable(value):
            return value

        async def later(*arguments, **named):
            await asyncio.sleep(0)
            answer = value(*arguments, **named)
            return Later(answer) if isinstance(answer, (Keeper, Outgoing)) else answer

        return later


@pytest.fixture(params=["as it is", "awaited"])
def keeper(request, face, bob):
    """One that Python keeps, and what the server gets."""
    made = Keeper(bob)
    if request.param == "as it is":
        return made, made
    if face.name == "blocking":
        pytest.skip("nothing is awaited")
    return made, Later(made)


@pytest.fixture
def connect(face, authority, keeper):
    tls = authority.context("b.example", protocol="imrp")
    with face.RetrievalServer(keeper[1], tls, listen=["127.0.0.1:0"]) as server:

        def make(user=None):
            client = ima.net.RetrievalClient.connect(
                "b.example", authority.context(protocol="imrp"),
                hosts={"b.example": server.addresses[0]})
            if user is not None:
                client.authenticate(user, PASSWORD)
            return client

        yield make


def test_a_post_office_may_be_written_in_python(connect, keeper):
    keeper = keeper[0]
    with connect() as eve:
        with pytest.raises(ima.Refused) as caught:
            eve.authenticate("eve", b"wrong")
        assert caught.value.rule == "auth"
        eve.authenticate("eve", PASSWORD)
        assert eve.capabilities == keeper.capabilities
        assert eve.folders()[0].role == "inbox"
        assert eve.status("inbox").unseen == 1
        with pytest.raises(ima.Refused) as caught:
            eve.status("none")
        assert caught.value.rule == "no-folder"
        [change] = eve.changes("inbox").changes
        assert (change.id, change.present.flags) == ("one", ["seen"])
        [header] = eve.headers("inbox", ["one", "none"])
        assert ima.HeaderBlock.parse(header.block).subject == "Made up"
        for part in (1, 2):
            whole = io.BytesIO()
            eve.fetch("inbox", "one", part, whole.write)
            assert whole.getvalue() == bytes(keeper.message.parts[part - 1])
        assert eve.set_flags("inbox", ["one"], add=["seen"], only_if_seq=0) == ["changed"]
        assert eve.remove("inbox", ["one"]) == ["gone"]
        assert eve.move("inbox", "old", ["one"]) == ["done"]
        assert eve.copy("inbox", "old", ["one"]) == ["copied"]
        query = ima.retrieval.SearchQuery(subject=["up"])
        assert eve.search("inbox", query).ids == ["one"]
        assert eve.quota().max_messages == 10
        assert eve.append("inbox", keeper.message) == "two"
        assert b"".join(keeper.kept) == b"".join(bytes(p) for p in keeper.message.parts)
        with pytest.raises(ima.TemporaryError):
            eve.create_folder("new")  # what Python raises otherwise is a fault of the server's
        with pytest.raises(ima.Refused):
            eve.change_password(b"wrong", b"new secret")
        eve.change_password(PASSWORD, b"new secret")
        assert keeper.password == b"new secret"
    with connect() as user:
        user.authenticate("bob", b"new secret")
        assert user.status("inbox").messages == 0  # from bob's mailbox


def test_a_time_out_bounds_all_requests_of_a_call(connect, keeper):
    """One of them would have the time, all of them have not."""
    keeper = keeper[0]
    at_once = keeper.set_flags

    def slowly(*given, **named):
        time.sleep(0.3)
        return at_once(*given, **named)

    keeper.set_flags = slowly
    many = ["%064d" % number for number in range(6000)]
    with connect("eve") as eve, pytest.raises(ima.TimedOut):
        eve.set_flags("inbox", many, add=["seen"], timeout=0.5)


def test_what_a_user_sends_goes_to_his_account(connect, keeper):
    keeper = keeper[0]
    with connect("eve") as eve:
        sent = eve.send(message("One"), save="sent", answered=[("inbox", "one")])
        assert (sent.verdict, sent.saved, sent.outcomes) == ("queued", "copy", [TOLD])
        assert [(n.host, n.text) for n in sent.notes] == [("a.example", "1006 octets")]
        assert keeper.asked == ("sent", [("inbox", "one")], [], {})
        outcome, note = keeper.last.kept
        outcome(TOLD)  # too late, and without effect
        note("", "late")
        again = eve.send(message("One"))
        assert (again.verdict, again.outcomes) == ("queued", [TOLD])
        onward = eve.send(message("Two"), parts={2: ("inbox", "one", 2)})
        assert onward.verdict == "queued" and keeper.asked[3] == {2: ("inbox", "one", 2)}
        assert keeper.last.octets == b"".join(bytes(p) for p in keeper.message.parts)
        [waits] = eve.queue()
        assert str(waits.recipient) == "alice@a.example" and waits.text == "away"


def test_a_watch_tells_and_ends(connect, keeper):
    keeper = keeper[0]
    with connect("eve") as eve:
        eve.watch({"inbox": "1.1"})
        assert keeper.watching == {"inbox": "1.1"}
        now = ima.retrieval.WatchedFolder("inbox", "1.2")
        thread = threading.Thread(target=keeper.tell, args=[now])
        thread.start()
        assert eve.wait_for_change(20).token == "1.2"
        thread.join()
        eve.watch({})
        assert keeper.watching == {}
        keeper.tell(now)  # too late, and without effect
        assert eve.wait_for_change(0.05) is None
    with connect("eve") as eve:
        eve.watch({"inbox": "1.1"})
        keeper.over()
        with pytest.raises(ima.Error):
            eve.wait_for_change(20)


@pytest.mark.parametrize("user", ["eve", "bob"])
def test_a_user_who_may_not_go_on_is_sent_away(connect, keeper, user):
    with connect(user) as client:
        assert client.folders()
        keeper[0].admitted = False
        with pytest.raises(ima.Error):
            client.folders()


def test_what_is_no_office_is_refused_at_once(face, authority):
    tls = authority.context("b.example", protocol="imrp")
    with pytest.raises(TypeError):
        face.RetrievalServer(object(), tls, listen=["127.0.0.1:0"]).__enter__()


@pytest.mark.parametrize("raised", STRANGE)
def test_no_exception_of_an_account_vanishes_or_ends_its_connection(connect, keeper, shown, raised):
    def folders():
        raise STRANGE[raised]()

    keeper[0].folders = folders
    with shown, connect("eve") as client:
        with pytest.raises(ima.Error):
            client.folders()
        assert client.status("inbox").unseen == 1
    error = STRANGE[raised]()
    assert isinstance(error, ima.Error) or type(error) in [type(e) for e in shown]


def test_an_account_that_returns_something_else_is_told_what_to_return(connect, keeper, shown):
    keeper[0].folders = keeper[0].status = lambda *_: 3
    keeper[0].set_flags = lambda *_, **__: ["dne"]
    with shown, connect("eve") as client:
        for call in (client.folders, lambda: client.status("inbox"),
                     lambda: client.set_flags("inbox", ["one"], add=["x"])):
            with pytest.raises(ima.TemporaryError):
                call()
    assert [str(e) for e in shown] == [
        "folders() must return a list of FolderInfo",
        "status() must return a FolderStatus",
        "set_flags() must return one of done, gone and changed for each id: an unknown word: dne"]
