"""A user's connection to his post office, for asyncio."""

import asyncio
import collections
import datetime
import inspect
from types import TracebackType
from typing import (
    Any,
    Callable,
    Collection,
    Deque,
    Dict,
    List,
    Literal,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Type,
    Union,
)

from .. import Limits, Message, MessageFile, NeedInput, ReaddressedMessage
from .. import retrieval as imrp
from ..errors import ConnectionFailed, Error, LocalProtocolError
from ..net import Submitted
from ..tls import Context
from ._stream import Stream, allowed

_PIECE_SIZE = 64 * 1024
_Outcome = Literal["done", "gone", "changed"]
_Message = Union[Message, MessageFile, ReaddressedMessage]
_References = Sequence[Tuple[str, str]]
_Takers = Dict[type, Callable[[Any], Any]]


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
        self._capabilities: List[str] = []
        self._events: Deque[imrp.WatchedFolder] = collections.deque()

    @classmethod
    async def connect(
        cls,
        host: str,
        tls: Context,
        *,
        hosts: Mapping[str, str] = {},
        dns_servers: Sequence[str] = (),
        certificate_name: str = "",
        limits: Limits = Limits(),
        timeout: Optional[float] = None,
    ) -> "RetrievalClient":
        """Connects, proves the server and takes its greeting."""
        async with allowed(timeout, "connecting", host):
            stream = await Stream.connect(
                host, tls, certificate_name, hosts, dns_servers, "retrieval", limits
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

    @property
    def capabilities(self) -> List[str]:
        """What the post office can do besides reading; docs/retrieval.md names it."""
        return self._capabilities

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

    async def create_folder(
        self, folder: str, role: str = "", *, timeout: Optional[float] = None
    ) -> None:
        """Makes a folder, with a role or none."""
        await self._ask(lambda: self._session.create_folder(folder, role), timeout)

    async def rename_folder(
        self, folder: str, target: str, *, timeout: Optional[float] = None
    ) -> None:
        """Renames this folder alone; messages and tokens stay."""
        await self._ask(lambda: self._session.rename_folder(folder, target), timeout)

    async def delete_folder(self, folder: str, *, timeout: Optional[float] = None) -> None:
        """Deletes an empty folder."""
        await self._ask(lambda: self._session.delete_folder(folder), timeout)

    async def search(
        self,
        folder: str,
        query: imrp.SearchQuery,
        cursor: str = "",
        limit: int = 500,
        *,
        timeout: Optional[float] = None,
    ) -> imrp.SearchPage:
        """Messages that meet a SearchQuery, newest first; a page may be short and have a next one."""
        found: List[str] = []
        end = await self._ask(
            lambda: self._session.search(folder, query, cursor, limit),
            timeout,
            {imrp.FoundReply: lambda e: found.append(e.id)},
        )
        return imrp.SearchPage(found, end.cursor)

    async def quota(self, *, timeout: Optional[float] = None) -> imrp.QuotaStatus:
        """What the mailbox holds, and may hold."""
        end = await self._ask(self._session.quota, timeout)
        assert end.quota is not None
        return end.quota

    async def change_password(
        self, old_password: bytes, new_password: bytes, *, timeout: Optional[float] = None
    ) -> None:
        """Refused with the rule auth: the old one is wrong; limit: the new one is too short."""
        await self._ask(
            lambda: self._session.change_password(old_password, new_password), timeout
        )

    async def append(
        self,
        folder: str,
        message: _Message,
        *,
        flags: Sequence[str] = (),
        arrived: Optional[datetime.datetime] = None,
        timeout: Optional[float] = None,
    ) -> str:
        """Puts a message into a folder and returns its id. Not idempotent: after ConnectionLost
        look for it before repeating."""
        end = await self._offer(
            lambda: self._session.append(folder, message.header, flags=flags, arrived=arrived),
            message,
            (),
            timeout,
            {},
        )
        return end.id

    async def send(
        self,
        message: _Message,
        *,
        save: str = "",
        answered: _References = (),
        forwarded: _References = (),
        parts: Mapping[int, Tuple[str, str, int]] = {},
        told: Optional[Callable[[Union[imrp.OutcomeReply, imrp.NoteReply]], Any]] = None,
        timeout: Optional[float] = None,
    ) -> Submitted:
        """Has the post office send a message; safe to repeat. The arguments are those of
        ima.net.RetrievalClient.send(); `told` may be a coroutine function."""
        outcomes: List[imrp.RecipientOutcome] = []
        notes: List[imrp.NoteReply] = []
        thrown: List[BaseException] = []

        async def tell(event: Union[imrp.OutcomeReply, imrp.NoteReply]) -> None:
            if isinstance(event, imrp.OutcomeReply):
                outcomes.append(event.result)
            else:
                notes.append(event)
            if told is None or thrown:
                return
            try:
                said = told(event)
                if inspect.isawaitable(said):
                    await said
            except Exception as error:
                thrown.append(error)

        end = await self._offer(
            lambda: self._session.send(
                message.header, save=save, answered=answered, forwarded=forwarded, parts=parts
            ),
            message,
            parts,
            timeout,
            {imrp.OutcomeReply: tell, imrp.NoteReply: tell},
        )
        if thrown:
            raise thrown[0]
        assert end.sent is not None
        return Submitted(end.sent.verdict, end.sent.saved, outcomes, notes)

    async def queue(self, *, timeout: Optional[float] = None) -> List[imrp.QueuedMessage]:
        """What the user sent and waits, as QueuedMessage."""
        found: List[imrp.QueuedMessage] = []
        await self._ask(
            self._session.queue, timeout, {imrp.QueuedReply: lambda e: found.append(e.message)}
        )
        return found

    async def watch(
        self, folders: Mapping[str, str], *, timeout: Optional[float] = None
    ) -> None:
        """Watches folders, each from the state of its token; an empty dict ends the watch."""
        await self._ask(lambda: self._session.watch(folders), timeout)

    async def wait_for_change(self, patience: float) -> Optional[imrp.WatchedFolder]:
        """Waits so many seconds for a watched folder to change: its WatchedFolder, or None."""
        self._begin()
        try:
            async with asyncio.timeout(patience):
                while not self._events:
                    await self._take_event()
        except TimeoutError:
            return None  # nothing that came is lost; what is under way comes with the next call
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._busy = False
        return self._events.popleft()

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
        takers: _Takers = {},
    ) -> imrp.RequestDone:
        self._begin(request)
        return self._success(await self._exchange(timeout, takers))

    async def _offer(
        self,
        request: Callable[[], None],
        message: _Message,
        had: Collection[int],
        timeout: Optional[float],
        takers: _Takers,
    ) -> imrp.RequestDone:
        """A request whose body follows once it is accepted, without the parts the server had."""
        self._begin(request)
        return self._success(
            await self._exchange(timeout, takers, lambda: self._upload(message, had))
        )

    def _begin(self, request: Callable[[], None] = lambda: None) -> None:
        self._raise_if_broken()
        if self._busy:
            raise LocalProtocolError("another call of this client is running", rule="in-use")
        request()  # our caller's fault where it raises; nothing was sent
        self._busy = True

    def _end(self, error: BaseException) -> None:
        self._broken = error
        self._stream.abort()

    def _success(self, end: Optional[imrp.RequestDone]) -> imrp.RequestDone:
        assert end is not None
        if end.failed is not None:
            raise end.failed
        return end

    async def _exchange(
        self,
        timeout: Optional[float],
        takers: _Takers,
        upload: Optional[Callable[[], Any]] = None,
    ) -> Optional[imrp.RequestDone]:
        self._busy = True
        try:
            async with allowed(timeout, "the operation", self._host):
                end = await self._answer(takers)
                if end is None and upload is not None:
                    await upload()
                    end = await self._answer(takers)
                return end
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._busy = False

    async def _upload(self, message: _Message, had: Collection[int]) -> None:
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

    def _flush(self) -> None:
        self._stream.write(self._session.take_output())

    async def _answer(self, takers: _Takers) -> Optional[imrp.RequestDone]:
        """Up to the end of the request in hand; None at the greeting, or where a body is due."""
        self._flush()
        while True:
            event = self._session.next_event()
            if isinstance(event, imrp.RequestDone):
                return event
            if isinstance(event, imrp.Greeting):
                self._capabilities = event.capabilities
                return None
            if isinstance(event, imrp.AcceptedReply):
                return None
            if isinstance(event, NeedInput):
                await self._read_more()
            else:
                await self._take(event, takers)

    async def _take(self, event: object, takers: _Takers) -> None:
        if isinstance(event, imrp.SessionClosed):
            raise ConnectionFailed("the post office closed", rule="connection")
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

    def _raise_if_broken(self) -> None:
        if isinstance(self._broken, Error):
            raise self._broken
        if self._broken is not None:
            raise ConnectionFailed("a call was interrupted", rule="connection", place=self._host)
