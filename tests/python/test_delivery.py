"""Delivery over real TLS: both faces send to the server of each, into mailboxes and to handlers."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time

import ima
import ima.aio
import ima.delivery
import ima.mailbox
import ima.net
import ima.service
import pytest
from conftest import STRANGE, Shown

LISTEN = ["127.0.0.1:0"]


def message(*to, sender="alice@a.example", size=300_000):
    return ima.Message.build(
        [("from", sender)] + [("to", t) for t in to or ("bob@b.example",)],
        [ima.Part(b"hello\n", "text/plain"), ima.Part(bytes(size), name="photo.jpg")])


class Taking:
    """A handler in Python that keeps what it is given."""

    def __init__(self, answer=None, verdict="OK"):
        self.answer = answer or ima.delivery.HeaderAnswer("accept")
        self.verdict = verdict
        self.taken = []
        self.peers = []

    def open(self, header, peer):
        self.peers.append(peer)
        return Transaction(self, header)


class Transaction:
    def __init__(self, handler, header):
        self.handler, self.header, self.parts = handler, header, {}

    def judge(self):
        return self.handler.answer

    def body(self, piece):
        self.parts.setdefault(piece.index, bytearray()).extend(piece.data)

    def finish(self, sink):
        sink.note("thank you")
        for recipient in self.header.recipients():
            sink.result(ima.delivery.RecipientResult(recipient, "OK", "taken"))
        self.handler.taken.append((self.header, [bytes(self.parts[i]) for i in sorted(self.parts)]))
        return self.handler.verdict


@pytest.fixture(params=["blocking", "aio"])
def serve(request, authority, face, shown):
    """Starts the server of either face for b.example; the client's face is varied by `face`."""
    from conftest import Aio, Blocking

    servers = Blocking if request.param == "blocking" else Aio()
    if request.param == "aio":
        servers.loop.set_exception_handler(lambda loop, what: shown.append(what["exception"]))
    running = []

    def start(handler, domain="b.example", **options):
        server = servers.DeliveryServer(
            handler, authority.context(domain), listen=LISTEN, **options)
        server.__enter__()
        running.append(server)
        return {domain: server.addresses[0]}

    yield start
    for server in running:
        server.__exit__(None, None, None)
    if request.param == "aio":
        servers.close()


def test_a_message_goes_into_a_mailbox_once(face, serve, authority, local_handler, mailbox):
    hosts = serve(local_handler)
    sent = message()
    for _ in range(2):
        report = face.send_message(sent, authority.context("a.example"), hosts=hosts)
        assert report.outcome == "delivered", report
        assert [str(r.recipient) for r in report.hosts[0].results] == ["bob@b.example"]
    assert mailbox.take_in() == 1
    [entry] = mailbox.entries()
    stored = mailbox.header("inbox", entry.id)
    assert stored.header.digest == sent.header.digest
    assert b"a.example" in stored.record
    assert mailbox.open_part("inbox", entry.id, 2).read() == bytes(sent.parts[1])


def test_a_message_file_is_sent_as_it_lies(face, serve, authority, tmp_path):
    handler = Taking()
    sent = message(size=3_000_000)
    (tmp_path / "m.ima").write_bytes(bytes(sent))
    report = face.send_message(
        ima.MessageFile.open(str(tmp_path / "m.ima")), authority.context("a.example"),
        hosts=serve(handler))
    assert report.outcome == "delivered", report
    assert handler.taken[0][1] == [bytes(p) for p in sent.parts]


def test_a_handler_in_python_takes_mail_and_answers(face, serve, authority):
    handler = Taking()
    log = []
    report = face.send_message(
        message(), authority.context("a.example"), hosts=serve(handler),
        log=lambda level, name, fields: log.append(name))
    assert report.outcome == "delivered"
    assert report.hosts[0].notes == ["thank you"]
    [(header, parts)] = handler.taken
    assert header.from_.addr == ima.Address("alice@a.example")
    assert parts == [b"hello\n", bytes(300_000)]
    [peer] = handler.peers
    assert (peer.verified_domain, peer.host) == ("a.example", "b.example")
    assert peer.tls.startswith("TLSv1.3/") and peer.address.startswith("127.0.0.1:")
    assert "accepted" in log and "verdict" in log


@pytest.mark.parametrize("what, outcome", [("reject", "refused"), ("defer", "deferred")])
def test_a_handler_may_say_no_before_the_body(face, serve, authority, what, outcome):
    handler = Taking(ima.delivery.HeaderAnswer(what, why="policy", text="not today"))
    report = face.send_message(message(), authority.context("a.example"), hosts=serve(handler))
    assert report.outcome == outcome
    assert report.hosts[0].problem.endswith("policy not today")
    assert report.hosts[0].permanent == (what == "reject")
    assert handler.taken == []


def test_nothing_goes_anywhere_unless_all_hosts_accept(face, serve, authority):
    yes, no = Taking(), Taking(ima.delivery.HeaderAnswer("reject", why="policy"))
    hosts = {**serve(yes), **serve(no, "c.example")}
    report = face.send_message(
        message("bob@b.example", "carol@c.example"), authority.context("a.example"), hosts=hosts)
    assert report.outcome == "refused"
    assert [h.host for h in report.hosts] == ["b.example", "c.example"]
    assert yes.taken == []
    assert report.hosts[0].withdrawn and "c.example" in report.hosts[0].problem
    assert not report.hosts[1].withdrawn and report.hosts[1].permanent


def test_unknown_recipients_are_all_named(face, serve, authority, local_handler):
    report = face.send_message(
        message("no@b.example", "bob@b.example"), authority.context("a.example"),
        hosts=serve(local_handler))
    assert report.outcome == "refused"
    results = {str(r.recipient): r.outcome for r in report.hosts[0].results}
    assert results["no@b.example"] == "NORECIPIENT" and results["bob@b.example"] != "OK"


class Broken(Taking):
    def __init__(self, where, refusal=ima.Refused):
        super().__init__()
        self.where, self.refusal = where, refusal

    def open(self, header, peer):
        if self.where == "open":
            raise KeyError("open")
        inner = super().open(header, peer)

        def fail(*_):
            raise self.refusal("not for us") if self.where == "refuse" else KeyError(self.where)

        setattr(inner, "body" if self.where == "refuse" else self.where, fail)
        return inner


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("where", ["open", "judge", "body", "finish"])
def test_an_exception_in_a_handler_defers_the_message(face, serve, authority, where, caplog):
    report = face.send_message(
        message(), authority.context("a.example"), hosts=serve(Broken(where)))
    assert report.outcome == "deferred", report


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("what", ["judge", "finish"])
def test_a_handler_that_answers_nonsense_defers_the_message(face, serve, authority, what):
    class Nonsense(Taking):
        def open(self, header, peer):
            inner = super().open(header, peer)
            setattr(inner, what, lambda *_: "GOOD")
            return inner

    handler = Nonsense()
    report = face.send_message(message(), authority.context("a.example"), hosts=serve(handler))
    assert report.outcome == "deferred", report


async def _await_cancelled():
    task = asyncio.ensure_future(asyncio.sleep(60))
    await asyncio.sleep(0)
    task.cancel()
    await task


async def _end_wrongly():
    raise GeneratorExit


def _fall_in_a_group():
    raise BaseExceptionGroup("all of it", [asyncio.CancelledError()])


@pytest.mark.parametrize("where", ["open", "judge", "body", "finish", "log"])
@pytest.mark.parametrize("fall", [_await_cancelled, _end_wrongly, _fall_in_a_group])
def test_what_is_no_exception_of_the_task_itself_defers_the_message(authority, where, fall):
    """A cancelled task that a handler awaited, above all."""
    shown = []

    class Falling(Taking):
        def open(self, header, peer):
            inner = super().open(header, peer)
            if where != "log":
                setattr(inner, where, lambda *_: fall())
            return fall() if where == "open" else inner

    def log(*_):
        if where == "log":
            raise asyncio.CancelledError

    async def send():
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, what: shown.append(what["exception"]))
        async with ima.aio.DeliveryServer(
                Falling(), authority.context("b.example"), listen=LISTEN, log=log) as server:
            return await ima.aio.send_message(
                message(), authority.context("a.example"),
                hosts={"b.example": server.addresses[0]})

    report = asyncio.run(send())
    assert report.outcome == ("delivered" if where == "log" else "deferred"), report
    assert not report.hosts[0].unknown and shown


async def stop_meanwhile(authority, handler, waits):
    """Stops a server of ima.aio while its handler waits; the task that still sends to it."""
    async with ima.aio.DeliveryServer(
            handler, authority.context("b.example"), listen=LISTEN,
            limits=ima.Limits(stopping=0.1)) as server:
        sending = asyncio.ensure_future(ima.aio.send_message(
            message(), authority.context("a.example"),
            hosts={"b.example": server.addresses[0]}))
        await waits.wait()
    return sending


def test_a_handler_that_is_cancelled_with_its_server_is_no_fault(authority):
    shown = []
    waits = asyncio.Event()

    class Waiting(Taking):
        async def open(self, header, peer):
            waits.set()
            await asyncio.sleep(60)

    async def send():
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, what: shown.append(what["exception"]))
        return await (await stop_meanwhile(authority, Waiting(), waits))

    assert asyncio.run(send()).outcome == "deferred"
    assert shown == []


def test_a_server_runs_once(face, authority):
    tls = authority.context("b.example")
    with face.DeliveryServer(Taking(), tls, listen=LISTEN) as server:
        for _ in range(2):
            with pytest.raises(ima.LocalProtocolError) as caught:
                server.start()
            assert caught.value.rule == "out-of-turn"
            server.stop()
            server.wait()


def test_a_server_listens_at_all_places_or_at_none(face, authority):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = "127.0.0.1:%d" % other.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as unused:
            free = "127.0.0.1:%d" % unused.getsockname()[1]
        with pytest.raises(ima.LocalProtocolError) as caught:
            face.DeliveryServer(
                Taking(), authority.context("b.example"), listen=[free, taken]).__enter__()
        assert caught.value.rule == "listen"
    with socket.create_server(("127.0.0.1", int(free.rsplit(":")[1]))):
        pass  # nobody kept it


def test_what_is_no_handler_or_no_place_to_listen_is_refused_at_once(face, authority):
    tls = authority.context("b.example")
    with pytest.raises(TypeError):
        face.DeliveryServer(object(), tls, listen=LISTEN)
    for place, rule in (("127.0.0.1:x", "endpoint"), ("192.0.2.1:20025", "listen")):
        with pytest.raises(ima.LocalProtocolError) as caught:
            face.DeliveryServer(Taking(), tls, listen=[place]).__enter__()
        assert caught.value.rule == rule


@pytest.mark.parametrize("refusal, outcome", [
    (ima.Refused, "FAIL"), (ima.RemoteProtocolError, "FAIL"), (ima.LocalProtocolError, "DEFER")])
def test_a_handler_that_refuses_the_body_fails_the_message(
        face, serve, authority, refusal, outcome):
    report = face.send_message(
        message(), authority.context("a.example"), hosts=serve(Broken("refuse", refusal)))
    assert report.outcome == ("refused" if outcome == "FAIL" else "deferred")
    assert [r.outcome for r in report.hosts[0].results] == [outcome]


def test_a_dropped_connection_leaves_the_outcome_unknown(face, serve, authority):
    report = face.send_message(
        message(), authority.context("a.example"), hosts=serve(Taking(verdict="DROP")))
    assert report.outcome == "deferred"
    assert [r.outcome for r in report.hosts[0].results] == ["DEFER"]
    assert report.hosts[0].unknown


@pytest.mark.parametrize("where", ["", ":1", "[::1", "127.0.0.1:99999", "127.0.0.1:", "[::1]x"])
def test_an_endpoint_that_is_none_is_the_callers_fault(face, authority, where):
    """And not the host's, for which mail would wait in vain."""
    hosts = {"b.example": "127.0.0.1:1", "c.example": where}
    for call in (lambda: face.send_message(message(), authority.context("a.example"), hosts=hosts),
                 lambda: face.connect(
                     "c.example", authority.context(protocol="imrp"), hosts=hosts)):
        with pytest.raises(ima.LocalProtocolError) as caught:
            call()
        assert (caught.value.rule, caught.value.place) == ("endpoint", "c.example")


def test_arguments_of_a_wrong_type_are_refused(face, authority):
    """And not ignored: mail to b.example would go where the DNS says."""
    tls = authority.context("a.example")
    for wrong in (None, "x", b"x", message().header):
        with pytest.raises(TypeError):
            face.send_message(wrong, tls)
    with pytest.raises(TypeError):
        face.send_message(message(), None)
    for hosts in ([("b.example", "127.0.0.1:1")], "b.example", None, {"b.example": None}, {1: "x"},
                  {"b.example": "\udcff:1"}):
        with pytest.raises(TypeError):
            face.send_message(message(), tls, hosts=hosts)
        with pytest.raises(TypeError):
            face.connect("b.example", authority.context(protocol="imrp"), hosts=hosts)
    with pytest.raises(TypeError):
        face.DeliveryServer(Taking(), tls, listen="127.0.0.1:0")
    with pytest.raises(TypeError):
        face.DeliveryServer(Taking(), None, listen=LISTEN)


@pytest.mark.parametrize("where", ["a\0b:1", "a..b:1"])
def test_a_name_that_is_none_is_a_problem_of_its_host(face, authority, where):
    report = face.send_message(
        message(), authority.context("a.example"), hosts={"b.example": where})
    assert report.outcome == "deferred" and report.hosts[0].problem


def test_a_message_in_anothers_name_is_refused(face, serve, authority):
    with pytest.raises(ima.LocalProtocolError) as caught:
        face.send_message(
            message(sender="alice@other.example"), authority.context("a.example"),
            hosts=serve(Taking()))
    assert caught.value.rule == "no-certificate"


def test_a_server_that_proves_another_domain_gets_nothing(face, serve, authority):
    handler = Taking()
    hosts = {"b.example": serve(handler, "c.example")["c.example"]}
    report = face.send_message(message(), authority.context("a.example"), hosts=hosts)
    assert report.outcome in ("refused", "deferred") and report.hosts[0].problem
    assert handler.taken == []


def test_a_host_that_cannot_be_reached_is_a_problem_for_now(face, authority):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        where = "127.0.0.1:%d" % unused.getsockname()[1]
    report = face.send_message(
        message(), authority.context("a.example"), hosts={"b.example": where})
    assert report.outcome == "deferred" and "[connection]" in report.hosts[0].problem


def test_a_host_that_says_nothing_is_given_up_in_time(face, authority):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = "127.0.0.1:%d" % silent.getsockname()[1]
        report = face.send_message(
            message(), authority.context("a.example"), hosts={"b.example": where},
            limits=ima.Limits(handshake=0.2))
    assert report.outcome == "deferred" and report.hosts[0].problem


def trickle(where, authority, said, more):
    """Says SAID, then MORE an octet at a time; how many of these went before the server closed."""
    context = ssl.create_default_context(cafile=authority.place / "ca.pem")
    context.load_cert_chain(authority.place / "a.example.pem", authority.place / "a.example.key")
    context.set_alpn_protocols(["imdp"])
    name, port = where.rsplit(":", 1)
    with socket.create_connection((name, int(port)), 20) as plain, \
            context.wrap_socket(plain, server_hostname="b.example") as stream:
        stream.settimeout(0.02)
        stream.sendall(said)
        for count in range(len(more)):
            try:
                stream.sendall(more[count:count + 1])
                if stream.recv(65536) == b"":
                    return count
            except TimeoutError:
                pass  # nothing was said meanwhile
            except OSError:
                return count
    return len(more)


@pytest.mark.parametrize("server", ["blocking", "aio"])
def test_octets_that_trickle_in_do_not_prolong_a_wait(server, authority):
    from conftest import Aio, Blocking

    servers = Blocking if server == "blocking" else Aio()
    header = (b"ima: 1\nfrom: alice@a.example\nto: bob@b.example\n"
              b"part: 1000 text/plain sha256=" + b"0" * 64 + b"\n\n")
    offer = b"MAIL %d\n" % len(header) + header
    authority.context("a.example")
    try:
        limits = ima.Limits(line=0.5, body_grace=0.5, body_rate=1000)
        with servers.DeliveryServer(Taking(), authority.context("b.example"), listen=LISTEN,
                                    limits=limits) as its:
            where = its.addresses[0]
            assert trickle(where, authority, b"MAIL 1000\n", b"x" * 900) < 900
            assert trickle(where, authority, offer + b"DATA 1000\n", b"x" * 900) < 900
        limits = ima.Limits(connection=0.3, body_grace=60, body_rate=1)
        with servers.DeliveryServer(Taking(), authority.context("b.example"), listen=LISTEN,
                                    limits=limits) as its:
            where = its.addresses[0]
            assert trickle(where, authority, offer + b"DATA 1000\n", b"x" * 900) < 900
    finally:
        if server == "aio":
            servers.close()


@pytest.fixture
def scripted(authority):
    """Starts a server for b.example that greets, accepts what is offered, and goes on by a script; the
    hosts that lead to it."""
    authority.context("b.example")  # makes its certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.place / "b.example.pem", authority.place / "b.example.key")
    context.set_alpn_protocols(["imdp"])
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def start(script):
        def serve():
            plain, _ = listener.accept()
            with contextlib.suppress(OSError), plain, \
                    context.wrap_socket(plain, server_side=True) as stream:
                stream.sendall(b"IMDP 1 b.example max-size=1000000000\n")
                heard = b""
                while b"\n\n" not in heard:
                    heard += stream.recv(65536)
                stream.sendall(b"ACCEPT\n")
                script(stream)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return {"b.example": f"127.0.0.1:{listener.getsockname()[1]}"}

    yield start
    for thread in threads:
        thread.join()
    listener.close()


def test_remarks_do_not_prolong_the_wait_for_a_verdict(face, authority, scripted):
    said = []

    def remarks(stream):
        while len(said) < 90:
            stream.sendall(b"NOTE still at it\n")
            said.append(1)
            time.sleep(0.1)

    report = face.send_message(message(size=100), authority.context("a.example"),
                               hosts=scripted(remarks), limits=ima.Limits(verdict=0.5))
    assert (report.outcome, report.hosts[0].unknown, len(said) < 90) == ("deferred", True, True)


def test_a_server_that_is_silent_after_the_body_is_given_up(face, authority, scripted):
    over = threading.Event()
    try:
        report = face.send_message(message(size=100), authority.context("a.example"),
                                   hosts=scripted(lambda stream: over.wait(40)),
                                   limits=ima.Limits(verdict=0.5))
        assert not over.is_set()
    finally:
        over.set()
    assert (report.outcome, report.hosts[0].unknown) == ("deferred", True), report
    assert "too long" in report.hosts[0].problem and "[no-verdict]" in report.hosts[0].problem


def test_a_server_that_does_not_read_a_body_is_given_up(face, authority, scripted):
    over = threading.Event()
    limits = ima.Limits(line=0.5, body_grace=0.5, body_rate=100_000_000)
    try:
        report = face.send_message(message(size=50_000_000), authority.context("a.example"),
                                   hosts=scripted(lambda stream: over.wait(20)), limits=limits)
        assert not over.is_set()
    finally:
        over.set()
    assert (report.outcome, report.hosts[0].unknown) == ("deferred", False), report
    assert "too long" in report.hosts[0].problem


def test_a_message_without_recipients_is_the_callers_fault(face, authority):
    draft = ima.Message.build([("from", "alice@a.example")])
    with pytest.raises(ima.LocalProtocolError) as caught:
        face.send_message(draft, authority.context("a.example"))
    assert caught.value.rule == "recipients-missing"


def test_many_messages_at_once_all_arrive(face, serve, authority, local_handler, mailbox):
    hosts, tls = serve(local_handler), authority.context("a.example")
    outcomes = []

    def send(number):
        sent = ima.Message.build(
            [("from", "alice@a.example"), ("to", "bob@b.example"), ("subject", str(number))],
            [ima.Part(bytes(50_000))])
        outcomes.append(face.send_message(sent, tls, hosts=hosts))

    threads = [threading.Thread(target=send, args=[n]) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [o.outcome for o in outcomes] == ["delivered"] * 8, outcomes
    assert mailbox.take_in() == 8


class Raising:
    """A handler that raises in one of its methods, or returns something else from it."""

    def __init__(self, where, raised=None, returned=None):
        self.where, self.raised, self.returned = where, raised, returned

    def answer(self, where, usual):
        if where != self.where:
            return usual
        if self.raised is not None:
            raise self.raised()
        return self.returned

    def open(self, header, peer):
        return self.answer("open", self)

    def judge(self):
        return self.answer("judge", ima.delivery.HeaderAnswer("accept"))

    def body(self, piece):
        self.answer("body", None)

    def finish(self, sink):
        return self.answer("finish", "OK")

    def log(self, *_):
        self.answer("log", None)


@pytest.mark.parametrize("where", ["open", "judge", "body", "finish", "log"])
@pytest.mark.parametrize("raised", STRANGE)
def test_no_exception_vanishes_or_ends_a_server(face, serve, authority, shown, where, raised):
    handler = Raising(where, STRANGE[raised])
    hosts = serve(handler, log=handler.log)
    for _ in range(2):  # it lives on
        with shown:
            report = face.send_message(
                message(size=10), authority.context("a.example"), hosts=hosts)
        refused = where == "body" and raised.startswith("text")
        assert report.outcome == (
            "delivered" if where == "log" else "refused" if refused else "deferred")
        assert not report.hosts[0].unknown and "closed" not in report.hosts[0].problem
    is_told = where == "body" and issubclass(type(STRANGE[raised]()), ima.Error)
    assert is_told or any(type(e) is type(STRANGE[raised]()) for e in shown)


@pytest.mark.parametrize("where", ["judge", "finish"])
@pytest.mark.parametrize("returned", [None, 3, b"OK", "\udcff", "ok", ima.delivery.HeaderAnswer])
def test_who_returns_something_else_is_told_what_to_return(
        face, serve, authority, shown, where, returned):
    hosts = serve(Raising(where, returned=returned))
    with shown:
        report = face.send_message(message(size=10), authority.context("a.example"), hosts=hosts)
    assert report.outcome == "deferred" and not report.hosts[0].unknown
    assert [str(e) for e in shown if str(e).startswith(f"{where}() must return")]


class Lacking:
    """What open() may return by mistake: an object without one of the methods."""

    def __init__(self, missing):
        self.missing = missing

    def __getattribute__(self, name):
        if name == object.__getattribute__(self, "missing"):
            raise AttributeError(name)
        return object.__getattribute__(self, name)

    def judge(self):
        return ima.delivery.HeaderAnswer("accept")

    def body(self, piece):
        pass

    def finish(self, sink):
        return "OK"


class Opaque:
    """Whatever it is asked for, it raises."""

    def __getattr__(self, name):
        raise ValueError(name)


@pytest.mark.parametrize(
    "opened", [None, 3, len, Opaque(), Lacking("judge"), Lacking("body"), Lacking("finish")],
    ids=["nothing", "number", "function", "opaque", "no judge", "no body", "no finish"])
def test_an_open_that_returns_no_transaction_defers_the_message(
        face, serve, authority, shown, opened):
    hosts = serve(Raising("open", returned=opened))
    with shown:
        report = face.send_message(message(size=10), authority.context("a.example"), hosts=hosts)
    assert report.outcome == "deferred" and not report.hosts[0].unknown
    assert any(isinstance(e, (AttributeError, TypeError, ValueError)) for e in shown)


def test_what_a_sink_in_python_raises_comes_out_of_finish(
        face, serve, authority, local_handler, mailbox):
    class Sink:
        def result(self, result):
            raise KeyError(result.outcome)

    class Wrapping(Raising):
        def open(self, header, peer):
            self.inner = local_handler.open(header, peer)
            self.judge, self.body = self.inner.judge, self.inner.body
            return self

        def finish(self, sink):
            try:
                self.inner.finish(Sink())
            except KeyError as error:
                self.caught = error
            return "OK"

    handler = Wrapping("")
    hosts = serve(handler)
    report = face.send_message(message(size=10), authority.context("a.example"), hosts=hosts)
    assert report.outcome == "delivered" and handler.caught.args == ("OK",)


def test_a_class_is_no_handler(face, authority):
    with pytest.raises(TypeError, match="not its class"):
        face.DeliveryServer(Taking, authority.context("b.example"), listen=LISTEN)


@pytest.mark.parametrize("workers", [0, 1001])
def test_a_server_has_a_sensible_number_of_threads(authority, workers):
    with pytest.raises(ima.LocalProtocolError, match="threads"):
        ima.net.DeliveryServer(
            Taking(), authority.context("b.example"), listen=LISTEN, workers=workers)
    with pytest.raises(ima.LocalProtocolError, match="threads"):
        ima.net.RetrievalServer(
            ima.service.Accounts(), authority.context("b.example", protocol="imrp"),
            listen=LISTEN, workers=workers)


def test_a_server_without_connections_is_refused(face, authority):
    """It would listen and serve nobody."""
    with pytest.raises(ima.LocalProtocolError, match="connections") as caught:
        face.DeliveryServer(
            Taking(), authority.context("b.example"), listen=LISTEN, connections=0)
    assert caught.value.rule == "connections"


def closes(plain):
    """Whether the other side closes it, which it does by a reset, too."""
    try:
        return plain.recv(1) == b""
    except ConnectionResetError:
        return True


def test_connections_that_there_is_no_room_for_are_closed_at_once(authority):
    """Of ima.aio, which has accepted them already; those of ima.net wait in the kernel's queue."""
    from conftest import Aio

    aio = Aio()
    log = []
    try:
        with aio.DeliveryServer(
                Taking(), authority.context("b.example"), listen=LISTEN, connections=2,
                limits=ima.Limits(handshake=60, stopping=0.1),
                log=lambda level, name, fields: log.append(name)) as server, \
                contextlib.ExitStack() as opened:
            name, port = server.addresses[0].rsplit(":", 1)

            def connect():
                return opened.enter_context(socket.create_connection((name, int(port)), 20))

            kept = [connect() for _ in range(2)]
            assert all(closes(connect()) for _ in range(20))
            assert log == ["connection-refused"] * 20
            for plain in kept:  # and there is room again
                plain.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    plain.recv(1)
                plain.close()
            for _ in range(100):
                report = aio.send_message(message(size=10), authority.context("a.example"),
                                          hosts={"b.example": server.addresses[0]})
                if report.outcome == "delivered":
                    break
                time.sleep(0.1)
            assert report.outcome == "delivered", report
    finally:
        aio.close()


def test_a_server_that_stops_does_not_wait_for_handshakes(face, authority):
    """Nobody has a message in hand before."""
    with contextlib.ExitStack() as opened:
        with face.DeliveryServer(
                Taking(), authority.context("b.example"), listen=LISTEN,
                limits=ima.Limits(handshake=50, stopping=50)) as server:
            name, port = server.addresses[0].rsplit(":", 1)
            idle = [opened.enter_context(socket.create_connection((name, int(port)), 20))
                    for _ in range(5)]
            report = face.send_message(message(size=10), authority.context("a.example"),
                                       hosts={"b.example": server.addresses[0]})
            assert report.outcome == "delivered", report  # so they have been accepted
            began = time.monotonic()
        assert time.monotonic() - began < 25
        assert all(closes(plain) for plain in idle)


def test_a_server_of_aio_leaves_no_task_behind(authority):
    waits = asyncio.Event()

    class Waiting(Taking):
        async def open(self, header, peer):
            waits.set()
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.1)  # it puts things in order first

    async def serve():
        sending = await stop_meanwhile(authority, Waiting(), waits)
        left = [str(task.get_coro()) for task in asyncio.all_tasks()]
        await sending
        return left

    assert not [name for name in asyncio.run(serve()) if "DeliveryServer" in name]


@pytest.mark.parametrize("how", ["wait", "leave", "forget"])
def test_a_handler_that_waits_for_its_own_server_does_not_hang(authority, how):
    class Ending(Raising):
        def finish(self, sink):
            if how == "forget":
                self.server = None
                return "OK"
            self.server.stop()
            self.server.wait() if how == "wait" else self.server.__exit__(None, None, None)
            return "FAIL"

    handler = Ending("")
    handler.server = ima.net.DeliveryServer(
        handler, authority.context("b.example"), listen=LISTEN)
    handler.server.start()
    hosts = {"b.example": handler.server.addresses[0]}
    shown = Shown()
    with shown:
        report = ima.net.send_message(
            message(size=10), authority.context("a.example"), hosts=hosts)
    assert report.outcome == ("delivered" if how == "forget" else "deferred")
    assert how == "forget" or [e.rule for e in shown] == ["in-use"]
    if handler.server is not None:
        handler.server.wait()
