"""Both faces find hosts by SRV records, which a real DNS server tells."""

import os
import shutil
import socket
import subprocess
import time

import ima
import ima.net
import ima.service
import pytest

PROGRAM = shutil.which("dnsmasq", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no dnsmasq")


@pytest.fixture
def name_server():
    """Starts a DNS server that knows these records; returns where it listens."""
    running = []

    def attempt(*records):
        with socket.socket() as free:  # a program may have the number for TCP and not for UDP
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        running.append(subprocess.Popen(
            [PROGRAM, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
             "--no-poll", "--listen-address=127.0.0.1", "--bind-interfaces", f"--port={port}",
             "--local=/example/", "--user=", "--pid-file=", *records],
            stderr=subprocess.DEVNULL))
        while running[-1].poll() is None:  # it listens on TCP, too
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return f"127.0.0.1:{port}"
            except OSError:
                time.sleep(0.05)
        return None

    def start(*records):
        for _ in range(5):  # somebody may have taken the port meanwhile
            if where := attempt(*records):
                return where
        pytest.fail("dnsmasq does not start")

    yield start
    for process in running:
        process.kill()
        process.wait()


def srv(service, port, priority=0):
    return f"--srv-host=_{service}._tcp.b.example,host.b.example,{port},{priority}"


def test_mail_goes_where_the_records_say(face, authority, local_handler, mailbox, name_server):
    tls = authority.context("b.example")
    with ima.net.DeliveryServer(local_handler, tls, listen=["127.0.0.1:0"]) as server:
        port = server.addresses[0].rpartition(":")[2]
        dns = name_server(srv("imdp", port, 20), srv("imdp", 1, 10),  # nobody listens on port 1
                          "--host-record=host.b.example,127.0.0.1")
        assert ima.net.find_service("b.example", "delivery", dns_servers=[dns]) == [
            "127.0.0.1:1", f"127.0.0.1:{port}"]
        message = ima.Message.build([("from", "alice@a.example"), ("to", "bob@b.example")])
        report = face.send_message(message, authority.context("a.example"), dns_servers=[dns])
        assert report.outcome == "delivered", report
    assert mailbox.take_in() == 1


def test_a_post_office_is_where_the_records_say(face, authority, bob, name_server):
    users = ima.service.Accounts()
    users.add("bob", mailbox=bob, password=ima.service.PasswordHash.make(b"secret", n=1024))
    tls = authority.context("b.example", protocol="imrp")
    with ima.net.RetrievalServer(users, tls, listen=["127.0.0.1:0"]) as office:
        dns = name_server(srv("imrp", office.addresses[0].rpartition(":")[2]),
                          "--host-record=host.b.example,127.0.0.1")
        with face.connect("b.example", tls, dns_servers=[dns]) as client:
            client.authenticate("bob", b"secret")


def test_a_domain_without_the_service_or_that_does_not_exist_is_refused(face, authority,
                                                                        name_server):
    dns = name_server("--srv-host=_imrp._tcp.b.example", "--host-record=host.b.example,127.0.0.1")
    for host, rule in (("b.example", "no-service"), ("nowhere.example", "no-domain")):
        with pytest.raises(ima.Refused) as caught:
            face.connect(host, authority.context(protocol="imrp"), dns_servers=[dns])
        assert caught.value.rule == rule
