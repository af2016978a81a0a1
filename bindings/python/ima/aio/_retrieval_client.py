"""A user's connection to his post office, for asyncio."""

import inspect
from types import TracebackType
from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, Sequence, Type

from .. import Limits, NeedInput
from .. import retrieval as imrp
from ..errors import ConnectionFailed, Error, LocalProtocolError
from ..tls import Context
from ._stream import Stream, allowed

_DEFAULT_PORT = 20093
_Outcome = Literal["done", "gone", "changed"]


class RetrievalClient:
    """A user's connection to his post office.

    Each call waits for its answer, at most `timeout` seconds where one is given. A second call while
    one is running is refused (LocalProtocolError, rule in-use). What the post office refuses is
    Refused or TemporaryError; anything else that goes wrong, a cancelled task too, ends the
    connection.
    """

    def __init__(self, stream: Stream, host: str, limits: Limits) -> None:
        """Made by connect()."""
        self._stream = stream
        self._session = imrp.ClientSession(host, limits)
        self._host = host
        self._limits = limits
        self._busy = False
        self._broken: Optional[BaseException] = None

    @classmethod
    async def connect(
        cls,
        host: str,
        tls: Context,
        *,
        hosts: Mapping[str, str] = {},
        certificate_name: str = "",
        limits: Limits = Limits(),
        timeout: Optional[float] = None,
    ) -> "RetrievalClient":
        """Connects, proves the server and takes its greeting."""
        async with allowed(timeout, "connecting", host):
            stream = await Stream.connect(
                host, tls, certificate_name, hosts, _DEFAULT_PORT, limits
            )
            made = cls(stream, host, limits)
            await made._exchange(None, {})
        return made

    async def __aenter__(self) -> "RetrievalClient":
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            await self.done()
        else:
            self._stream.abort()

    async def authenticate(
        self, user: str, password: Optional[bytes] = None, *, timeout: Optional[float] = None
    ) -> None:
        """Without a password: by the client certificate."""
        await self._ask(lambda: self._session.authenticate(user, password), timeout)

    async def folders(self, *, timeout: Optional[float] = None) -> List[imrp.FolderInfo]:
        """All folders, as FolderInfo."""
        found: List[imrp.FolderInfo] = []
        await self._ask(
            self._session.folders, timeout, {imrp.FolderReply: lambda e: found.append(e.info)}
        )
        return found

    async def status(self, folder: str, *, timeout: Optional[float] = None) -> imrp.FolderStatus:
        """How much is in a folder."""
        end = await self._ask(lambda: self._session.status(folder), timeout)
        assert end.status is not None
        return end.status

    async def changes(
        self, folder: str, token: str = "0", limit: int = 500, *, timeout: Optional[float] = None
    ) -> imrp.ChangePage:
        """What changed after `token`; Refused with the rule resync: begin again from `0`."""
        found: List[imrp.Change] = []
        end = await self._ask(
            lambda: self._session.changes(folder, token, limit),
            timeout,
            {imrp.ChangeReply: lambda e: found.append(e.change)},
        )
        return imrp.ChangePage(found, end.token, end.more)

    async def headers(
        self, folder: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[imrp.HeaderReply]:
        """The header blocks of those that are there, in order."""
        found: List[imrp.HeaderReply] = []
        await self._ask(
            lambda: self._session.headers(folder, ids), timeout, {imrp.HeaderReply: found.append}
        )
        return found

    async def fetch(
        self,
        folder: str,
        id: str,
        part: int,
        into: Callable[[bytes], Any],
        offset: int = 0,
        length: Optional[int] = None,
        *,
        timeout: Optional[float] = None,
    ) -> int:
        """Streams a part, or a range of it, into a function, which may be a coroutine function;
        returns how many octets there were."""
        count = 0

        def give(event: imrp.OctetsReply) -> Any:
            nonlocal count
            count += len(event.data)
            return into(bytes(event.data))

        await self._ask(
            lambda: self._session.fetch(folder, id, part, offset, length),
            timeout,
            {imrp.OctetsReply: give},
        )
        return count

    async def set_flags(
        self,
        folder: str,
        ids: Sequence[str],
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        only_if_seq: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> List[_Outcome]:
        """One outcome for each id: done, gone or changed."""
        return await self._outcomes(
            lambda: self._session.set_flags(
                folder, ids, add=add, remove=remove, only_if_seq=only_if_seq
            ),
            ids,
            timeout,
        )

    async def remove(
        self, folder: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[_Outcome]:
        """Deletes messages; one outcome for each id."""
        return await self._outcomes(lambda: self._session.remove(folder, ids), ids, timeout)

    async def move(
        self, folder: str, target: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[_Outcome]:
        """One outcome for each id."""
        return await self._outcomes(lambda: self._session.move(folder, target, ids), ids, timeout)

    async def copy(
        self, folder: str, target: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[str]:
        """The copies' ids; empty where a message is not there."""
        copies: List["tuple[str, str]"] = []
        await self._ask(
            lambda: self._session.copy(folder, target, ids),
            timeout,
            {imrp.CopiedReply: lambda e: copies.append((e.id, e.new_id))},
        )
        return [copies.pop(0)[1] if copies and copies[0][0] == id else "" for id in ids]

    async def done(self, *, timeout: Optional[float] = None) -> None:
        """Says DONE and closes."""
        self._raise_if_broken()
        self._session.done()
        patience = self._limits.handshake if timeout is None else timeout
        async with allowed(patience, "closing", self._host):
            self._stream.write(self._session.take_output())
            await self._stream.finish()

    async def _outcomes(
        self, request: Callable[[], None], ids: Sequence[str], timeout: Optional[float]
    ) -> List[_Outcome]:
        named: List["tuple[str, _Outcome]"] = []
        await self._ask(
            request,
            timeout,
            {
                imrp.GoneReply: lambda e: named.append((e.id, "gone")),
                imrp.ChangedReply: lambda e: named.append((e.id, "changed")),
            },
        )
        return [named.pop(0)[1] if named and named[0][0] == id else "done" for id in ids]

    async def _ask(
        self,
        request: Callable[[], None],
        timeout: Optional[float],
        takers: Dict[type, Callable[[Any], Any]] = {},
    ) -> imrp.RequestDone:
        self._raise_if_broken()
        if self._busy:
            raise LocalProtocolError("another call of this client is running", rule="in-use")
        request()  # our caller's fault where it raises; nothing was sent
        end = await self._exchange(timeout, takers)
        assert end is not None
        if end.failed is not None:
            raise end.failed
        return end

    async def _exchange(
        self, timeout: Optional[float], takers: Dict[type, Callable[[Any], Any]]
    ) -> Optional[imrp.RequestDone]:
        self._busy = True
        try:
            async with allowed(timeout, "the operation", self._host):
                return await self._answer(takers)
        except BaseException as error:
            self._broken = error
            self._stream.abort()
            raise
        finally:
            self._busy = False

    async def _answer(
        self, takers: Dict[type, Callable[[Any], Any]]
    ) -> Optional[imrp.RequestDone]:
        """Up to the end of the request in hand, or to the greeting."""
        self._stream.write(self._session.take_output())
        while True:
            event = self._session.next_event()
            if isinstance(event, imrp.RequestDone):
                return event
            if isinstance(event, imrp.Greeting):
                return None
            if isinstance(event, imrp.SessionClosed):
                raise ConnectionFailed("the post office closed", rule="connection")
            if (taker := takers.get(type(event))) is not None:
                taken = taker(event)
                if inspect.isawaitable(taken):
                    await taken
            elif isinstance(event, NeedInput):
                await self._read_more()

    async def _read_more(self) -> None:
        async with allowed(self._session.timeout, "the post office", self._host):
            data = await self._stream.read()
        if data:
            self._session.receive(data)
        else:
            self._session.receive_eof()

    def _raise_if_broken(self) -> None:
        if isinstance(self._broken, Error):
            raise self._broken
        if self._broken is not None:
            raise ConnectionFailed("a call was interrupted", rule="connection", place=self._host)
