"""Receiving mail from other servers, for asyncio."""

import asyncio
import contextlib
import socket
from typing import Any, Dict, List, Optional, Sequence, Set

from .. import Limits
from .. import tls as identity
from ..errors import Error, LocalProtocolError
from ._delivery_connection import Connection
from ._stream import Stream, allowed, check_type, split_endpoint
from ._threads import Log, write_log

_DEFAULT_PORT = 20025
_LAST_STEPS = 5.0  # seconds for a cancelled task to end in, whose handler may take no notice


class DeliveryServer:
    """Receives mail from other servers.

    `handler` is an ima.delivery.Handler, whose calls run on worker threads, or any object with
    `open(header, peer)` that returns an object with `judge()`, `body(piece)` and `finish(sink)`. These
    may be coroutine functions. An exception defers the message.
    """

    def __init__(
        self,
        handler: Any,
        tls: identity.Context,
        *,
        listen: Sequence[str] = ("[::]:20025",),
        limits: Limits = Limits(),
        connections: int = 1000,
        log: Optional[Log] = None,
    ) -> None:
        """Listens once it is started."""
        if isinstance(handler, type):
            raise TypeError("a handler is wanted, not its class")
        if not hasattr(handler, "open"):
            raise TypeError("a handler has a method open(header, peer)")
        check_type(tls, "tls", identity.Context)
        check_type(listen, "listen", list, tuple)
        check_type(connections, "connections", int)
        if connections < 1:
            text = f"{connections} connections, and a server has at least 1"
            raise LocalProtocolError(text, rule="connections")
        self._handler = handler
        self._tls = tls
        self._listen = listen
        self._limits = limits
        self._connections = connections
        self._log = log
        self._servers: List[asyncio.Server] = []
        self._serving: Set[Connection] = set()
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._in_handshake: Set["asyncio.Task[None]"] = set()
        self._started = False
        self._over = asyncio.Event()

    async def start(self) -> None:
        """Opens the listening sockets and serves from now on."""
        if self._started or self._over.is_set():
            raise LocalProtocolError("a server runs once", rule="out-of-turn")
        with contextlib.ExitStack() as opened:  # all of them, or none
            listening = [opened.enter_context(_listen_on(where)) for where in self._listen]
            self._started = True
            opened.pop_all()
        for each in listening:
            self._servers.append(await asyncio.start_server(self._accept, sock=each))

    async def run(self) -> None:
        """Serves until stop() or the end of the task."""
        await self.start()
        try:
            await self.wait()
        finally:
            await self.__aexit__()

    def stop(self) -> None:
        """Takes no more; messages in hand are answered."""
        for server in self._servers:
            server.close()
        for connection in self._serving:
            connection.stop()
        for task in self._in_handshake:  # they have no message in hand
            task.cancel()
        self._over.set()

    async def wait(self) -> None:
        """Waits until it has stopped."""
        await self._over.wait()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._limits.stopping)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_LAST_STEPS)

    def use(self, tls: identity.Context) -> None:
        """New connections use `tls` from now on."""
        self._tls = tls

    @property
    def addresses(self) -> List[str]:
        """Where it listens, with the ports."""
        found = []
        for server in self._servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                found.append(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return found

    async def __aenter__(self) -> "DeliveryServer":
        await self.start()
        return self

    async def __aexit__(self, *raised: object) -> None:
        self.stop()
        await self.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._over.is_set():  # accepted just before
            writer.transport.abort()
            return
        # It has been accepted already: to wait here for room would cost a descriptor, and whoever has
        # mail comes back.
        if len(self._tasks) >= self._connections:
            self._refuse(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(Stream(reader, writer, identity.Engine.server(self._tls)))
        finally:
            self._tasks.discard(task)

    def _refuse(self, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")  # None where it has left
        writer.transport.abort()
        fields = {"peer": peer[0] if peer else "", "text": "too many connections"}
        self._write_log("warning", "connection-refused", fields)

    async def _serve(self, stream: Stream) -> None:
        try:
            await self._shake_hands(stream)
            connection = Connection(stream, self._handler, self._limits, self._write_log)
            self._serving.add(connection)
            try:
                await connection.serve()
            finally:
                self._serving.discard(connection)
            async with allowed(self._limits.handshake, "closing"):
                await stream.finish()
        except Error as error:
            self._write_log("warning", "connection-lost", {"rule": error.rule, "text": str(error)})
        finally:
            stream.abort()

    async def _shake_hands(self, stream: Stream) -> None:
        """Whoever has not got further is not waited for when the server stops."""
        task = asyncio.current_task()
        assert task is not None
        self._in_handshake.add(task)
        try:
            async with allowed(self._limits.handshake, "the handshake"):
                await stream.handshake()
        finally:
            self._in_handshake.discard(task)

    def _write_log(self, level: str, name: str, fields: Dict[str, str]) -> None:
        write_log(self._log, level, name, fields)


def _listen_on(where: str) -> socket.socket:
    host, port = split_endpoint(where, _DEFAULT_PORT)
    try:
        if ":" not in host:
            return socket.create_server((host, port))
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=both)
    except OSError as error:
        text = f"cannot listen on {where}: {error.strerror or error}"
        raise LocalProtocolError(text, rule="listen") from error
