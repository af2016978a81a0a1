"""One TLS connection over asyncio's streams."""

import asyncio
import contextlib
from typing import AsyncIterator, Iterable, List, Literal, Mapping, Optional, Sequence, Tuple, Union

from .. import Limits, net
from .. import delivery as imdp
from ..errors import ConnectionFailed, Error, LocalProtocolError, TimedOut
from ..tls import Context, Engine, PeerFacts

_READ_SIZE = 256 * 1024
_LONGEST = 1e9  # seconds; fits into any clock's arithmetic


def check_time(seconds: Optional[float]) -> None:
    """Refuses what is no time to wait, as `ima.net` does."""
    if seconds is not None and not 0 <= seconds <= _LONGEST:
        raise ValueError("a time that is negative or too long")


def check_type(value: object, name: str, *kinds: type) -> None:
    """Refuses an argument of another type, as `ima.net` does."""
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{name}: {wanted} is wanted, and not {type(value).__name__}")


def check_hosts(hosts: Mapping[str, str]) -> None:
    """The same for what says where hostparts are reached, with each text in it."""
    check_type(hosts, "hosts", Mapping)
    _check_texts([*hosts.keys(), *hosts.values()], "what is in hosts")
    for host, where in sorted(hosts.items()):
        split_endpoint(where, 0, host)


def list_of(texts: Sequence[str], name: str) -> List[str]:
    """The same for a sequence of texts; text is none."""
    sequence = hasattr(type(texts), "__getitem__") and not isinstance(texts, (str, bytes, dict))
    if not sequence:
        raise TypeError(f"{name}: a sequence of str is wanted, and not {type(texts).__name__}")
    found = list(texts)
    _check_texts(found, f"what is in {name}")
    return found


def _check_texts(texts: Iterable[str], name: str) -> None:
    for text in texts:
        check_type(text, name, str)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise TypeError(f"{name}: text with a surrogate is no Unicode") from None


@contextlib.asynccontextmanager
async def allowed(
    seconds: Optional[float], what: str, place: str = ""
) -> AsyncIterator[asyncio.Timeout]:
    """Bounds a block to some time, after which it raises TimedOut; gives the bound."""
    bound = asyncio.timeout(seconds)
    try:
        async with bound:
            yield bound
    except TimeoutError:
        if not bound.expired():  # not of this block
            raise
        raise TimedOut(f"{what} took too long", rule="timeout", place=place) from None


class Deadline:
    """When the wait ends that a session is in: octets that come meanwhile do not prolong it."""

    def __init__(self, session: Union[imdp.ClientSession, imdp.ServerSession]) -> None:
        self._session = session
        self._step = -1
        self._until: Optional[float] = None

    def left(self) -> Optional[float]:
        """The seconds that are left; None while the session waits for nobody else."""
        now = asyncio.get_running_loop().time()
        if self._step != self._session.step:
            self._step = self._session.step
            timeout = self._session.timeout
            self._until = None if timeout is None else now + timeout
        return None if self._until is None else max(0.0, self._until - now)

    def begin_again(self) -> None:
        self._step = -1

    def put_off(self, seconds: float) -> None:
        """The wait was for ourselves so long."""
        if self._until is not None:
            self._until += seconds


_Kind = Literal["delivery", "retrieval"]
_DEFAULT_PORT = {"delivery": 20025, "retrieval": 20093}


def split_endpoint(where: str, default_port: int, place: str = "") -> Tuple[str, int]:
    """Host and port of "host", "host:port", "[address]" or "[address]:port"; `place` is of an error."""
    host, port, good = where, str(default_port), True
    if where.startswith("["):
        host, closed, rest = where[1:].partition("]")
        good = bool(closed) and rest[:1] in ("", ":")
        port = rest[1:] if rest else port
    elif ":" in where:
        host, _, port = where.rpartition(":")
    if not good or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        text = f"'{where}' is not like 127.0.0.1:20025 or [::1]:20025"
        raise LocalProtocolError(text, rule="endpoint", place=place)
    return host, int(port)


async def find_service(
    hostpart: str, kind: _Kind, *, dns_servers: Sequence[str] = ()
) -> List[str]:
    """Where a hostpart is reached: network addresses with ports, in the order to try them."""
    return await asyncio.to_thread(net.find_service, hostpart, kind, dns_servers=dns_servers)


class Stream:
    """Plain octets on one side, a socket on the other, an engine between."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine: Engine
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._engine = engine

    @classmethod
    async def connect(
        cls,
        host: str,
        tls: Context,
        sender: str,
        hosts: Mapping[str, str],
        dns_servers: Sequence[str],
        kind: _Kind,
        limits: Limits,
    ) -> "Stream":
        """Connects to a hostpart, wherever it can be reached, and completes the handshake."""
        last: Optional[Error] = None
        known = [hosts[host]] if host in hosts else None
        for where in known or await find_service(host, kind, dns_servers=dns_servers):
            try:
                return await cls._connect_to(where, host, tls, sender, kind, limits)
            except Error as error:
                last = error
        assert last is not None
        raise last

    @classmethod
    async def _connect_to(
        cls, where: str, host: str, tls: Context, sender: str, kind: _Kind, limits: Limits
    ) -> "Stream":
        engine = Engine.client(tls, host, sender)
        try:
            async with allowed(limits.connect, "connecting", host):
                reader, writer = await asyncio.open_connection(
                    *split_endpoint(where, _DEFAULT_PORT[kind])
                )
        except TimedOut:
            raise
        except (OSError, ValueError) as error:  # also of a name that no resolver takes
            text = f"cannot reach {where}: {getattr(error, 'strerror', None) or error}"
            raise ConnectionFailed(text, rule="connection", place=host) from error
        made = cls(reader, writer, engine)
        try:
            async with allowed(limits.handshake, "the handshake", host):
                await made.handshake()
        except BaseException:
            made.abort()
            raise
        return made

    @property
    def peer(self) -> PeerFacts:
        return self._engine.peer

    @property
    def peer_address(self) -> str:
        host, port = self._writer.get_extra_info("peername")[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def handshake(self) -> None:
        while not self._engine.handshake_done:
            self._decrypt(0)
            if not self._engine.handshake_done:
                await self._receive()
        self._decrypt(0)

    async def read(self) -> bytes:
        """Waits for octets; empty at the end."""
        while True:
            plain = self._decrypt(_READ_SIZE)
            if plain or self._engine.closed:
                return plain
            await self._receive()

    def write(self, data: bytes) -> None:
        """Encrypts and lets the transport send. Follow it with drained() where much is written."""
        if data:
            self._engine.write(data)
            self._send()

    async def drained(self) -> None:
        """Waits until the peer has taken most of what was written."""
        with _network_errors():
            await self._writer.drain()

    async def finish(self) -> None:
        """Ends the TLS stream and closes; that it may not arrive does no harm."""
        with contextlib.suppress(Error, OSError):
            self._engine.shutdown()
            self._send()
            self._writer.close()
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Closes without a word."""
        self._writer.transport.abort()

    def _decrypt(self, size: int) -> bytes:
        try:
            return self._engine.read(size)
        finally:
            self._send()  # also the alert that tells the peer why

    def _send(self) -> None:
        output = self._engine.take_output()
        if output:
            self._writer.write(output)

    async def _receive(self) -> None:
        with _network_errors():
            data = await self._reader.read(_READ_SIZE)
        if data:
            self._engine.receive(data)
        else:
            self._engine.receive_eof()


@contextlib.contextmanager
def _network_errors():  # type: ignore[no-untyped-def]
    try:
        yield
    except OSError as error:
        text = error.strerror or str(error)
        raise ConnectionFailed(text, rule="connection") from error
