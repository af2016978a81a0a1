"""A user's connection to his post office, for asyncio."""

import asyncio
import contextlib
import datetime
import functools
import inspect
from types import TracebackType
from typing import (
    Any,
    Callable,
    Iterator,
    List,
    Literal,
    Mapping,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Type,
    Union,
)

from .. import Limits
from .. import retrieval as imrp
from ..errors import Error
from ..net import Submitted
from ..tls import Context
from ._retrieval_conversation import AnyMessage, Conversation, Request
from ._stream import allowed, check_time, list_of
from ._threads import is_end_of

_Outcome = Literal["done", "gone", "changed"]
_References = Sequence[Tuple[str, str]]


class _RequestForSome(Protocol):
    """A request for some of the messages that a call names."""

    def __call__(self, session: imrp.ClientSession, /, some: Sequence[str]) -> None: ...


class RetrievalClient:
    """A user's connection to his post office.

    Each call waits for its answer, at most `timeout` seconds where one is given. A second call while
    one is running is refused (LocalProtocolError, rule in-use). What the post office refuses is
    Refused or TemporaryError; anything else that goes wrong ends the connection, as does the end of
    the task in all calls but wait_for_change().
    """

    def __init__(self, conversation: Conversation) -> None:
        """Made by connect()."""
        self._conversation = conversation

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
        check_time(timeout)
        async with allowed(timeout, "connecting", host):
            return cls(
                await Conversation.connect(
                    host, tls, hosts, dns_servers, certificate_name, limits
                )
            )

    async def __aenter__(self) -> "RetrievalClient":
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            with contextlib.suppress(Error):  # it may be over already
                await self.done()
        self._conversation.abort()

    @property
    def capabilities(self) -> List[str]:
        """What the post office can do besides reading; docs/retrieval.md names it."""
        return self._conversation.capabilities

    async def authenticate(
        self, user: str, password: Optional[bytes] = None, *, timeout: Optional[float] = None
    ) -> None:
        """Without a password: by the client certificate."""
        await self._conversation.ask(lambda s: s.authenticate(user, password), timeout)

    async def folders(self, *, timeout: Optional[float] = None) -> List[imrp.FolderInfo]:
        """All folders, as FolderInfo."""
        found: List[imrp.FolderInfo] = []
        await self._conversation.ask(
            lambda s: s.folders(), timeout, {imrp.FolderReply: lambda e: found.append(e.info)}
        )
        return found

    async def status(self, folder: str, *, timeout: Optional[float] = None) -> imrp.FolderStatus:
        """How much is in a folder."""
        end = await self._conversation.ask(lambda s: s.status(folder), timeout)
        assert end.status is not None
        return end.status

    async def changes(
        self, folder: str, token: str = "0", limit: int = 500, *, timeout: Optional[float] = None
    ) -> imrp.ChangePage:
        """What changed after `token`; Refused with the rule resync: begin again from `0`."""
        found: List[imrp.Change] = []
        end = await self._conversation.ask(
            lambda s: s.changes(folder, token, limit),
            timeout,
            {imrp.ChangeReply: lambda e: found.append(e.change)},
        )
        return imrp.ChangePage(found, end.token, end.more)

    async def headers(
        self, folder: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[imrp.HeaderReply]:
        """The header blocks of those that are there, in order."""
        ids = list_of(ids, "ids")
        found: List[imrp.HeaderReply] = []
        await self._conversation.ask_in_turn(
            self._for_some(ids, (folder,), lambda s, some: s.headers(folder, some)),
            timeout,
            {imrp.HeaderReply: found.append},
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

        await self._conversation.ask(
            lambda s: s.fetch(folder, id, part, offset, length),
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
            lambda s, some: s.set_flags(
                folder, some, add=add, remove=remove, only_if_seq=only_if_seq
            ),
            ids,
            (folder, *add, *remove),
            timeout,
        )

    async def remove(
        self, folder: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[_Outcome]:
        """Deletes messages; one outcome for each id."""
        return await self._outcomes(
            lambda s, some: s.remove(folder, some), ids, (folder,), timeout
        )

    async def move(
        self, folder: str, target: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[_Outcome]:
        """One outcome for each id."""
        return await self._outcomes(
            lambda s, some: s.move(folder, target, some), ids, (folder, target), timeout
        )

    async def copy(
        self, folder: str, target: str, ids: Sequence[str], *, timeout: Optional[float] = None
    ) -> List[str]:
        """The copies' ids; empty where a message is not there."""
        ids = list_of(ids, "ids")
        copies: List["tuple[str, str]"] = []
        await self._conversation.ask_in_turn(
            self._for_some(ids, (folder, target), lambda s, some: s.copy(folder, target, some)),
            timeout,
            {imrp.CopiedReply: lambda e: copies.append((e.id, e.new_id))},
        )
        return [copies.pop(0)[1] if copies and copies[0][0] == id else "" for id in ids]

    async def create_folder(
        self, folder: str, role: str = "", *, timeout: Optional[float] = None
    ) -> None:
        """Makes a folder, with a role or none."""
        await self._conversation.ask(lambda s: s.create_folder(folder, role), timeout)

    async def rename_folder(
        self, folder: str, target: str, *, timeout: Optional[float] = None
    ) -> None:
        """Renames this folder alone; messages and tokens stay."""
        await self._conversation.ask(lambda s: s.rename_folder(folder, target), timeout)

    async def delete_folder(self, folder: str, *, timeout: Optional[float] = None) -> None:
        """Deletes an empty folder."""
        await self._conversation.ask(lambda s: s.delete_folder(folder), timeout)

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
        end = await self._conversation.ask(
            lambda s: s.search(folder, query, cursor, limit),
            timeout,
            {imrp.FoundReply: lambda e: found.append(e.id)},
        )
        return imrp.SearchPage(found, end.cursor)

    async def quota(self, *, timeout: Optional[float] = None) -> imrp.QuotaStatus:
        """What the mailbox holds, and may hold."""
        end = await self._conversation.ask(lambda s: s.quota(), timeout)
        assert end.quota is not None
        return end.quota

    async def change_password(
        self, old_password: bytes, new_password: bytes, *, timeout: Optional[float] = None
    ) -> None:
        """Refused with the rule auth: the old one is wrong; limit: the new one is too short."""
        await self._conversation.ask(
            lambda s: s.change_password(old_password, new_password), timeout
        )

    async def append(
        self,
        folder: str,
        message: AnyMessage,
        *,
        flags: Sequence[str] = (),
        arrived: Optional[datetime.datetime] = None,
        timeout: Optional[float] = None,
    ) -> str:
        """Puts a message into a folder and returns its id. Not idempotent: after ConnectionLost
        look for it before repeating."""
        end = await self._conversation.offer(
            lambda s: s.append(folder, message.header, flags=flags, arrived=arrived),
            message,
            (),
            timeout,
        )
        return end.id

    async def send(
        self,
        message: AnyMessage,
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
        task = asyncio.current_task()

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
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                if is_end_of(task, error):
                    raise
                thrown.append(error)

        end = await self._conversation.offer(
            lambda s: s.send(
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
        await self._conversation.ask(
            lambda s: s.queue(), timeout, {imrp.QueuedReply: lambda e: found.append(e.message)}
        )
        return found

    async def watch(
        self, folders: Mapping[str, str], *, timeout: Optional[float] = None
    ) -> None:
        """Watches folders, each from the state of its token; an empty dict ends the watch."""
        await self._conversation.ask(lambda s: s.watch(folders), timeout)

    async def wait_for_change(
        self, patience: Optional[float] = None
    ) -> Optional[imrp.WatchedFolder]:
        """Waits so many seconds, or for as long as it takes, for a watched folder to change: its
        WatchedFolder, or None."""
        return await self._conversation.wait_for_change(patience)

    async def done(self, *, timeout: Optional[float] = None) -> None:
        """Says DONE and closes."""
        await self._conversation.done(timeout)

    def _for_some(
        self, ids: Sequence[str], beside: Sequence[str], request: _RequestForSome
    ) -> Iterator[Request]:
        """Requests for as many messages at a time as a line has room for beside other words."""
        room = self._conversation.request_line - 64
        room -= sum(3 * len(str(word).encode(errors="replace")) + 2 for word in beside)
        while True:
            count = size = 0
            while count < len(ids) and (count == 0 or size + len(ids[count]) < room):
                size += len(ids[count]) + 1
                count += 1
            yield functools.partial(request, some=ids[:count])
            ids = ids[count:]
            if not ids:
                return

    async def _outcomes(
        self,
        request: _RequestForSome,
        ids: Sequence[str],
        beside: Sequence[str],
        timeout: Optional[float],
    ) -> List[_Outcome]:
        ids = list_of(ids, "ids")
        named: List["tuple[str, _Outcome]"] = []
        await self._conversation.ask_in_turn(
            self._for_some(ids, beside, request),
            timeout,
            {
                imrp.GoneReply: lambda e: named.append((e.id, "gone")),
                imrp.ChangedReply: lambda e: named.append((e.id, "changed")),
            },
        )
        return [named.pop(0)[1] if named and named[0][0] == id else "done" for id in ids]

