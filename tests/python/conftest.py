"""What the tests share: an authority made with the openssl program, domains, and both faces."""

import asyncio
import inspect
import subprocess
import sys
import threading

import ima
import ima.aio
import ima.mailbox
import ima.net
import ima.service
import ima.tls
import pytest


class Authority:
    """A throw-away certificate authority in a directory."""

    def __init__(self, place):
        self.place = place
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.place, check=True, capture_output=True)

    def issue(self, domain):
        if (self.place / f"{domain}.pem").exists():
            return
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
            f"/CN={domain}", "-keyout", f"{domain}.key", "-out", f"{domain}.csr")
        (self.place / f"{domain}.ext").write_text(
            f"subjectAltName=DNS:{domain}\nextendedKeyUsage=serverAuth\n")
        self._openssl(
            "x509", "-req", "-in", f"{domain}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-extfile", f"{domain}.ext", "-days", "2", "-out", f"{domain}.pem")

    def context(self, *domains, protocol="imdp"):
        for domain in domains:
            self.issue(domain)
        return ima.tls.Context(
            [(str(self.place / f"{d}.pem"), str(self.place / f"{d}.key")) for d in domains],
            protocol=protocol, system_store=False, ca_file=str(self.place / "ca.pem"))


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def mailbox(tmp_path):
    path = str(tmp_path / "bob")
    ima.mailbox.Mailbox.create(path)
    return ima.mailbox.Mailbox.open(path)


@pytest.fixture
def bob(tmp_path, mailbox):
    """The path of bob's mailbox."""
    return str(tmp_path / "bob")


@pytest.fixture
def local_handler(bob):
    routes = ima.service.RoutingTable()
    routes.add_host("b.example")
    routes.add("bob@b.example", mailbox=bob)
    return ima.service.LocalHandler(routes)


class Blocking:
    """The face that waits."""

    name = "blocking"
    DeliveryServer = staticmethod(ima.net.DeliveryServer)
    RetrievalServer = staticmethod(ima.net.RetrievalServer)
    QueueRunner = staticmethod(ima.net.QueueRunner)
    send_or_queue = staticmethod(ima.net.send_or_queue)
    connect = staticmethod(ima.net.RetrievalClient.connect)
    send_message = staticmethod(ima.net.send_message)


class Waiting:
    """An object of the asyncio face whose coroutines are waited for."""

    def __init__(self, face, inner):
        self._face, self._inner = face, inner

    def __getattr__(self, name):
        value = getattr(self._inner, name)
        if not callable(value):
            return value
        return lambda *a, **k: self._face.wait(lambda: value(*a, **k))

    def __enter__(self):
        self._face.wait(self._inner.__aenter__)
        return self

    def __exit__(self, *raised):
        self._face.wait(lambda: self._inner.__aexit__(*raised))


class Aio:
    """The face for asyncio, its loop in a thread, so that one test serves both."""

    name = "aio"

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def wait(self, make):
        async def work():
            made = make()
            return await made if inspect.isawaitable(made) else made

        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(60)

    def DeliveryServer(self, *arguments, **named):
        return Waiting(self, self.wait(lambda: ima.aio.DeliveryServer(*arguments, **named)))

    def RetrievalServer(self, *arguments, **named):
        return Waiting(self, ima.aio.RetrievalServer(*arguments, **named))

    def QueueRunner(self, *arguments, **named):
        return Waiting(self, ima.aio.QueueRunner(*arguments, **named))

    def send_or_queue(self, *arguments, **named):
        return self.wait(lambda: ima.aio.send_or_queue(*arguments, **named))

    def connect(self, *arguments, **named):
        client = self.wait(lambda: ima.aio.RetrievalClient.connect(*arguments, **named))
        return Waiting(self, client)

    def send_message(self, *arguments, **named):
        return self.wait(lambda: ima.aio.send_message(*arguments, **named))


@pytest.fixture(params=["blocking", "aio"])
def face(request):
    if request.param == "blocking":
        yield Blocking
    else:
        made = Aio()
        yield made
        made.close()


# What programs may raise, and what is hard to put into words.
class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Bare(ima.Error):
    """Its constructor forgets super()."""

    def __init__(self):
        pass


def with_text(text):
    error = ima.Refused("no")
    error.text = text
    return error


STRANGE = {
    "a surrogate": lambda: ValueError("\udcff"),
    "no text": NoText,
    "no members": Bare,
    "text that is none": lambda: with_text(None),
    "text with a surrogate": lambda: with_text("\udcff"),
}


class Shown(list):
    """The exceptions that sys.unraisablehook was given within a `with` block, and more."""

    def __enter__(self):
        self.before = sys.unraisablehook
        sys.unraisablehook = lambda what: self.append(what.exc_value)

    def __exit__(self, *raised):
        sys.unraisablehook = self.before


@pytest.fixture
def shown(face):
    """What either face shows; of `ima.aio` it is the loop's exception handler that is told."""
    found = Shown()
    if face.name == "aio":
        face.loop.set_exception_handler(lambda loop, what: found.append(what["exception"]))
    return found
