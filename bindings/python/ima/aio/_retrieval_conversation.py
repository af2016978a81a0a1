"""Drives the session of a retrieval client over a stream: one request at a time, to its end."""

import asyncio
import collections
import contextlib
import inspect
from typing import (
    Any,
    Callable,
    Collection,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Union,
)

from .. import Limits, Message, MessageFile, NeedInput, ReaddressedMessage
from .. import retrieval as imrp
from ..errors import ConnectionFailed, ConnectionLost, Error, LocalProtocolError
from ..tls import Context
from ._stream import Stream, allowed, check_hosts, check_time, check_type

_PIECE_SIZE = 64 * 1024
AnyMessage = Union[Message, MessageFile, ReaddressedMessage]
Request = Callable[[imrp.ClientSession], None]
Takers = Dict[type, Callable[[Any], Any]]


class Conversation:
    """One connection, from the greeting to DONE.

    What goes wrong in a request, a cancelled task too, ends it: nobody knows how far the other side
    came. What the post office refuses does not.
    """

    def __init__(self, stream: Stream, host: str, limits: Limits) -> None:
        self.capabilities: List[str] = []
        self.request_line = limits.request_line
        self._stream = stream
        self._session = imrp.ClientSession(host, limits)
        self._host = host
        self._limits = limits
        self._busy = False
        self._closed = False
        self._broken: Optional[BaseException] = None
        self._events: Deque[imrp.WatchedFolder] = collections.deque()

    @classmethod
    async def connect(
        cls,
        host: str,
        tls: Context,
        hosts: Mapping[str, str],
        dns_servers: Sequence[str],
        certificate_name: str,
        limits: Limits,
    ) -> "Conversation":
        """Connects, proves the server and takes its greeting."""
        check_type(tls, "tls", Context)
        check_hosts(hosts)
        stream = await Stream.connect(
            host, tls, certificate_name, hosts, dns_servers, "retrieval", limits
        )
        made = cls(stream, host, limits)
        await made._exchange(None, {})
        return made

    async def ask(
        self, request: Request, timeout: Optional[float], takers: Takers = {}
    ) -> imrp.RequestDone:
        """Makes a request; `takers` get the replies of their type before its end."""
        check_time(timeout)
        with self._call():
            request(self._session)  # our caller's fault where it raises; nothing was sent
            return self._success(await self._exchange(timeout, takers))

    async def ask_in_turn(
        self, requests: Iterable[Request], timeout: Optional[float], takers: Takers
    ) -> None:
        """Makes several requests in one call, each after the answer to the one before it."""
        check_time(timeout)
        clock = asyncio.get_running_loop().time
        until = None if timeout is None else clock() + timeout
        with self._call():
            for request in requests:
                request(self._session)
                left = None if until is None else max(0.0, until - clock())
                self._success(await self._exchange(left, takers))

    async def offer(
        self,
        request: Request,
        message: AnyMessage,
        had: Collection[int],
        timeout: Optional[float],
        takers: Takers = {},
    ) -> imrp.RequestDone:
        """A request whose body follows once it is accepted, without the parts the server had."""
        check_time(timeout)
        check_type(message, "message", Message, MessageFile, ReaddressedMessage)
        with self._call():
            request(self._session)
            return self._success(
                await self._exchange(timeout, takers, lambda: self._upload(message, had))
            )

    async def wait_for_change(self, patience: Optional[float]) -> Optional[imrp.WatchedFolder]:
        """The next change of a watched folder; nothing that came is lost where it does not wait to
        the end, and what is under way comes with the next call."""
        check_time(patience)
        with self._call():
            try:
                async with asyncio.timeout(patience):
                    while not self._events:
                        await self._take_event()
            except TimeoutError:
                return None
            except Exception as error:  # not the end of the task, which leaves all as it is
                self._end(error)
                raise
            return self._events.popleft()

    async def done(self, timeout: Optional[float]) -> None:
        """Says DONE and closes."""
        check_time(timeout)
        with self._call():
            self._session.done()
            self._closed = True
            patience = self._limits.handshake if timeout is None else timeout
            async with allowed(patience, "closing", self._host):
                self._flush()
                await self._stream.finish()

    def abort(self) -> None:
        """Closes without a word."""
        self._closed = True
        self._stream.abort()

    @contextlib.contextmanager
    def _call(self) -> Iterator[None]:
        """One call of the user's; there is no second one meanwhile."""
        if self._closed:
            raise LocalProtocolError("the connection was closed", rule="out-of-turn")
        if isinstance(self._broken, Error):
            raise self._broken
        if self._broken is not None:
            raise ConnectionFailed("a call was interrupted", rule="connection", place=self._host)
        if self._busy:
            raise LocalProtocolError("another call of this client is running", rule="in-use")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _end(self, error: BaseException) -> None:
        self._broken = error
        self._stream.abort()

    def _known(self, error: ConnectionFailed) -> Error:
        """Where a request has no answer nobody knows what became of it."""
        if self._session.outstanding == 0:
            return error
        return ConnectionLost(error.text, rule="connection-lost", place=self._host)

    def _success(self, end: Optional[imrp.RequestDone]) -> imrp.RequestDone:
        assert end is not None
        if end.failed is not None:
            no = end.failed
            raise type(no)(no.text, rule=no.rule, place=self._host)
        return end

    async def _exchange(
        self,
        timeout: Optional[float],
        takers: Takers,
        upload: Optional[Callable[[], Any]] = None,
    ) -> Optional[imrp.RequestDone]:
        try:
            async with allowed(timeout, "the operation", self._host):
                end = await self._answer(takers)
                if end is None and upload is not None:
                    await upload()
                    end = await self._answer(takers)
                return end
        except ConnectionFailed as error:
            known = self._known(error)
            self._end(known)
            raise known from None
        except BaseException as error:
            self._end(error)
            raise

    async def _upload(self, message: AnyMessage, had: Collection[int]) -> None:
        if self._session.body_left == 0:
            self._session.body(b"")
        for number, part in enumerate(message.header.parts, 1):
            if number in had:
                continue
            for at in range(0, part.size, _PIECE_SIZE):
                size = min(_PIECE_SIZE, part.size - at)
                piece = await asyncio.to_thread(message.read_body, part.offset + at, size)
                self._session.body(piece)
                self._flush()
                async with allowed(self._limits.line, "the post office", self._host):
                    await self._stream.drained()

    async def _answer(self, takers: Takers) -> Optional[imrp.RequestDone]:
        """Up to the end of the request in hand; None at the greeting, or where a body is due."""
        self._flush()
        while True:
            event = self._session.next_event()
            if isinstance(event, imrp.RequestDone):
                return event
            if isinstance(event, imrp.Greeting):
                self.capabilities = event.capabilities
                return None
            if isinstance(event, imrp.AcceptedReply):
                return None
            if isinstance(event, NeedInput):
                await self._read_more()
            else:
                await self._take(event, takers)

    async def _take(self, event: object, takers: Takers) -> None:
        if isinstance(event, imrp.SessionClosed):
            raise ConnectionFailed(
                "the post office closed", rule="connection", place=self._host
            )
        if isinstance(event, imrp.FolderChanged):
            known = [e for e in self._events if e.folder != event.now.folder]
            self._events = collections.deque([*known, event.now])
        elif (taker := takers.get(type(event))) is not None:
            taken = taker(event)
            if inspect.isawaitable(taken):
                await taken

    async def _take_event(self) -> None:
        event = self._session.next_event()
        if isinstance(event, NeedInput):
            self._feed(await self._stream.read())
        else:
            await self._take(event, {})

    async def _read_more(self) -> None:
        async with allowed(self._session.timeout, "the post office", self._host):
            data = await self._stream.read()
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        if data:
            self._session.receive(data)
        else:
            self._session.receive_eof()

    def _flush(self) -> None:
        self._stream.write(self._session.take_output())
