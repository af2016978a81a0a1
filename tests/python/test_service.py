"""Routing, the queue and explanations: what operators' programs are made of."""

import socket
import time

import ima
import ima.mailbox
import ima.net
import ima.service
import ima.tls
import pytest


def message(to="bob@b.example", subject="Hi"):
    return ima.Message.build(
        [("id", ima.new_message_id("a.example")), ("from", "alice@a.example"), ("to", to),
         ("subject", subject)],
        [ima.Part(b"hello\n", "text/plain")])


def test_aliases_and_a_catch_all_deliver(authority, bob, mailbox):
    routes = ima.service.RoutingTable()
    routes.add_host("b.example")
    routes.add("bob@b.example", mailbox=bob)
    routes.add("sales@b.example", alias=["bob@b.example"])
    routes.add_catch_all("b.example", alias=["sales@b.example"])
    routes.check()
    assert not routes.leads_elsewhere
    with ima.net.DeliveryServer(
            ima.service.LocalHandler(routes), authority.context("b.example"),
            listen=["127.0.0.1:0"]) as server:
        for to in ("sales@b.example", "anybody@b.example"):
            report = ima.net.send_message(
                message(to), authority.context("a.example"),
                hosts={"b.example": server.addresses[0]})
            assert report.outcome == "delivered"
    assert mailbox.take_in() == 2


def test_a_table_says_what_is_wrong_with_it():
    routes = ima.service.RoutingTable()
    routes.add_host("b.example")
    routes.add("list@b.example", alias=["gone@b.example", "eve@c.example"])
    assert routes.leads_elsewhere
    found = routes.resolve("list@b.example")
    assert [str(a) for a in found.nonexistent] == ["gone@b.example"]
    assert [str(a) for a in found.elsewhere] == ["eve@c.example"]
    for wrong in (lambda: routes.check(), lambda: routes.add("list@b.example", mailbox="/x"),
                  lambda: routes.add("x@b.example", mailbox="/x", command=["y"])):
        with pytest.raises(ima.LocalProtocolError) as caught:
            wrong()
        assert caught.value.rule == "route"


def test_a_queue_is_held_released_and_dropped(tmp_path):
    with pytest.raises(ima.LocalProtocolError) as caught:
        ima.service.Queue.open_existing(str(tmp_path))
    assert caught.value.rule == "queue-format"
    queue = ima.service.Queue.open(str(tmp_path / "queue"))
    added = queue.add(message("bob@b.example"))
    assert ima.MessageFile.open(queue.message_path(added.id)).header == queue.header(added.id)
    before = queue.changes()
    queue.hold(added.id)
    waiting = queue.read(added.id)
    assert waiting.held and waiting.originator == "alice@a.example"
    assert [(str(r.recipient), r.outcome) for r in waiting.hosts[0].results] == [
        ("bob@b.example", "DEFER")]
    queue.release(added.id)
    queue.retry(added.id)
    assert queue.changes() > before and not queue.read(added.id).held
    queue.drop(added.id)
    assert queue.ids() == []
    with pytest.raises(ima.LocalProtocolError) as caught:
        queue.read(added.id)
    assert caught.value.rule == "queue-id"
    queue.sweep()


def test_what_a_host_cannot_take_now_waits_and_is_delivered(face, tmp_path, authority,
                                                           local_handler, mailbox):
    queue = ima.service.Queue.open(str(tmp_path / "queue"))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = "127.0.0.1:%d" % unused.getsockname()[1]
    tls = authority.context("a.example")
    log = []
    report = face.send_or_queue(
        message(), queue, tls, hosts={"b.example": nobody},
        log=lambda level, name, fields: log.append(name))
    assert report.queued and len(queue.ids()) == 1
    assert "delivery-failed" in log
    with ima.net.DeliveryServer(
            local_handler, authority.context("b.example"), listen=["127.0.0.1:0"]) as server:
        hosts = {"b.example": server.addresses[0]}
        queue.retry(queue.ids()[0])
        runner = face.QueueRunner(queue, tls, hosts=hosts)
        runner.run_once()
        assert queue.ids() == [] and mailbox.take_in() == 1
        queue.add(message(subject="Again"))
        runner.run_once()
        assert queue.ids() == [] and mailbox.take_in() == 1
        with face.QueueRunner(queue, tls, hosts=hosts, scan=0.05):
            queue.add(message(subject="Two"))
            for _ in range(400):
                if mailbox.take_in():
                    break
                time.sleep(0.05)
            else:
                pytest.fail("the runner did not deliver")
    assert queue.ids() == []


def test_a_chain_is_explained(authority):
    authority.issue("b.example")
    chain = (authority.place / "b.example.pem").read_text()
    good = ima.tls.explain(authority.context("a.example"), chain, "b.example", "client")
    assert good.refused is None and good.certificate.names == ["b.example"]
    wrong = ima.tls.explain(authority.context("a.example"), chain, "c.example")
    assert isinstance(wrong.refused, ima.RemoteProtocolError) and wrong.refused.rule == "identity"
    assert ("identity", "bad") in [(s.rule, s.verdict) for s in wrong.steps]
    stranger = ima.tls.explain(ima.tls.Context(), chain, "b.example")
    assert stranger.refused is not None and stranger.refused.rule != "identity"


def test_a_forgotten_password_is_made_anew():
    users = ima.service.Accounts()
    users.add("bob", mailbox="/x", password=ima.service.PasswordHash.make(b"secret", n=1024))
    assert users.new_password("bob", b"secret", b"longer secret").matches(b"longer secret")
    with pytest.raises(ima.Refused) as caught:
        users.new_password("bob", b"wrong", b"longer secret")
    assert caught.value.rule == "auth"
    with pytest.raises(ima.Refused) as caught:
        users.new_password("bob", b"secret", b"short")
    assert caught.value.rule == "limit"
