"""Memory stays where it is while messages and sessions come and go; a million in the long run."""

import gc
import os

import ima
import ima.delivery
import ima.net
import ima.service
import ima.tls
import pytest

MANY = 1_000_000 if os.environ.get("IMA_FULL") == "true" else 20_000


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(work, times):
    """Octets by which the process grows in the second half of the repetitions."""
    for _ in range(times // 2):
        work()
    before = resident()
    for _ in range(times // 2):
        work()
    return resident() - before


def test_messages_parsed_and_built_leave_nothing_behind():
    raw = bytes(ima.Message.build(
        [("from", "Alice <alice@a.example>"), ("to", "bob@b.example"), ("subject", "Hi")],
        [ima.Part(b"hello\n", "text/plain"), ima.Part(bytes(1000), name="x.bin")]))

    def work():
        message = ima.Message.parse(raw)
        assert message.header.parts[1].name == "x.bin" and len(message.parts[1]) == 1000

    assert growth(work, MANY) < 1 << 20


def test_errors_leave_nothing_behind():
    def work():
        try:
            ima.HeaderBlock.parse(b"ima: 1\nfrom nobody\n\n")
        except ima.RemoteProtocolError as error:
            assert error.rule == "line-syntax"

    assert growth(work, MANY // 10) < 1 << 20


def test_sessions_leave_nothing_behind():
    block = ima.HeaderBlock.parse(b"ima: 1\nfrom: a@a.example\nto: b@b.example\n\n")

    def work():
        client = ima.delivery.ClientSession("b.example")
        server = ima.delivery.ServerSession("b.example")
        client.receive(server.take_output())
        client.next_event()
        client.offer(block)
        server.receive(client.take_output())
        assert isinstance(server.next_event(), ima.delivery.MessageOffered)

    assert growth(work, MANY // 10) < 1 << 20


class Knowing:
    """A handler, a log, and what proves users, who knows his server."""

    def open(self, header, peer):
        raise NotImplementedError

    by_password = by_certificate = log = open


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("ran", ["never", "stopped", "waited for"])
def test_a_server_that_its_own_handler_knows_is_collected(authority, ran):
    tls, office_tls = (authority.context("b.example", protocol=p) for p in ("imdp", "imrp"))

    def work():
        knowing = Knowing()
        knowing.servers = [
            ima.net.DeliveryServer(knowing, tls, listen=["127.0.0.1:0"], log=knowing.log),
            ima.net.RetrievalServer(knowing, office_tls, listen=["127.0.0.1:0"])]
        for server in knowing.servers:
            if ran != "never":
                server.start()
                server.stop()
            if ran == "waited for":
                server.wait()
        return knowing.servers if ran == "stopped" else []

    gc.collect()
    before = descriptors()
    for _ in range(5):
        for server in work():
            server.wait()
        server = None
        gc.collect()
    assert descriptors() == before
