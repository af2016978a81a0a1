"""One connection of a server that receives mail."""

import asyncio
import datetime
import threading
from typing import Any, Callable, Optional, Set

from .. import HeaderBlock, Limits, NeedInput, PartReceived
from .. import delivery as imdp
from .. import tls as identity
from ..errors import Error, LocalProtocolError
from ._stream import Deadline, Stream, allowed
from ._threads import Log, Shown, call_and_await, require, show, text_of

_VERDICTS = ("OK", "FAIL", "PARTIAL", "DEFER", "DROP")


class Connection:
    """One connection: events of the session in, decisions of the handler out."""

    def __init__(self, stream: Stream, handler: Any, limits: Limits, log: Log) -> None:
        certificate = stream.peer.certificate
        assert certificate is not None  # IMDP has no handshake without one
        self._certificate = certificate
        self._stream = stream
        self._handler = handler
        self._limits = limits
        self._log = log
        self._session = imdp.ServerSession(stream.peer.server_name, limits)
        self._transaction: Any = None
        self._began = asyncio.get_running_loop().time()
        self._deadline = Deadline(self._session)
        self._offered = 0
        self._offered_recipients = 0
        self._reading: Optional["asyncio.Task[bytes]"] = None
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._session.stop()
        self._stopping.set()

    async def serve(self) -> None:
        try:
            while not isinstance(event := self._session.next_event(), imdp.ServerClosed):
                await self._flush()
                if not await self._handle(event):
                    return
            if event.problem is not None:
                self._log("warning", "session-failed", {"text": str(event.problem)})
            await self._flush()
        finally:
            if self._reading is not None:
                self._reading.cancel()

    async def _flush(self) -> None:
        output = self._session.take_output()
        if output:
            self._deadline.begin_again()  # for the wait that is interrupted
            self._stream.write(output)
            async with allowed(self._limits.line, "the peer"):
                await self._stream.drained()

    async def _handle(self, event: object) -> bool:
        if isinstance(event, NeedInput):
            await self._read_more()
        elif isinstance(event, imdp.MessageOffered):
            await self._judge(event.header)
        elif isinstance(event, PartReceived):
            await self._take(event)
        elif isinstance(event, imdp.BodyComplete):
            return await self._conclude()
        elif isinstance(event, (imdp.BodyDamaged, imdp.OfferCancelled)):
            self._transaction = None
        elif isinstance(event, imdp.OfferRefused):
            self._count_offer(0)
            self._log("info", "offer-refused", {"reason": event.why, "text": str(event.problem)})
        return True

    async def _read_more(self) -> None:
        if asyncio.get_running_loop().time() - self._began > self._limits.connection:
            self.stop()
        if self._reading is None:
            self._reading = asyncio.create_task(self._stream.read())
        stopping = asyncio.create_task(self._stopping.wait())
        waited: Set["asyncio.Task[Any]"] = {self._reading}
        if not self._stopping.is_set():
            waited.add(stopping)
        try:
            done, _ = await asyncio.wait(
                waited, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopping.cancel()
        if self._reading in done:
            self._feed()
        elif not done:
            self._time_out()

    def _patience(self) -> Optional[float]:
        """A message in hand at the end of the connection's age has as long again."""
        left = self._deadline.left()
        if left is None:
            return None
        last = self._began + 2 * self._limits.connection
        return min(left, max(0.0, last - asyncio.get_running_loop().time()))

    def _feed(self) -> None:
        assert self._reading is not None
        reading, self._reading = self._reading, None
        data = reading.result()
        if data:
            self._session.receive(data)
        else:
            self._session.receive_eof()

    def _time_out(self) -> None:
        if self._session.accept_pending:
            self._session.lapse()
            self._transaction = None
        else:
            self._stream.abort()

    async def _judge(self, header: HeaderBlock) -> None:
        self._count_offer(len(header.recipients()))
        answer = self._check_originator(header)
        if answer is None:
            answer = await self._ask_handler(header)
        if answer.what != "accept":
            self._transaction = None
        self._log(
            "info",
            "offer-judged",
            {"answer": answer.what, "from": str(header.originator), "text": answer.text},
        )
        self._session.answer(answer)

    def _check_originator(self, header: HeaderBlock) -> Optional[imdp.HeaderAnswer]:
        """The rules of docs/delivery.md section 5 that need the connection."""
        if datetime.datetime.now(datetime.timezone.utc) > self._certificate.not_after:
            text = "the sender's certificate has expired"
            return imdp.HeaderAnswer("reject", why="identity", text=text)
        try:
            identity.proves(self._certificate, header.originator.host)
        except Error as error:
            return imdp.HeaderAnswer("reject", why="identity", text=error.text)
        return None

    async def _ask_handler(self, header: HeaderBlock) -> imdp.HeaderAnswer:
        peer = imdp.PeerInfo(
            self._stream.peer.server_name,
            header.originator.host,
            self._stream.peer_address,
            self._stream.peer.cipher,
            self._certificate.fingerprint,
        )
        try:
            self._transaction = await _call(self._handler, "open", header, peer)
            answer = await _call(self._transaction, "judge")
            require(isinstance(answer, imdp.HeaderAnswer), "judge() must return a HeaderAnswer")
        except Error as error:
            self._report_unheard(error)
            return imdp.HeaderAnswer("defer")
        return answer  # type: ignore[no-any-return]

    async def _take(self, piece: PartReceived) -> None:
        self._deadline.left()  # a wait may have begun with this piece
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await _call(self._transaction, "body", piece)
        except Error as error:
            self._report(error)
            self._transaction = None
            self._session.abandon(text_of(error), error.kind in ("peer", "refused"))
        self._deadline.put_off(loop.time() - began)  # the handler's time is not the sender's

    async def _conclude(self) -> bool:
        sink = _Sink(self._session, self._stream, self._limits)
        try:
            verdict = await _call(self._transaction, "finish", sink)
            good = isinstance(verdict, str) and verdict in _VERDICTS
            require(good, "finish() must return OK, FAIL, PARTIAL, DEFER or DROP")
        except Error as error:
            self._report_unheard(error)
            verdict = "DEFER"
        self._transaction = None
        sink.close()
        if verdict == "DROP":
            self._stream.abort()
            return False
        self._session.conclude(verdict)
        return True

    def _count_offer(self, recipients: int) -> None:
        """A connection that offered enough is closed once what it offered is answered."""
        self._offered += 1
        self._offered_recipients += recipients
        if (
            self._offered >= self._limits.offers
            or self._offered_recipients >= self._limits.offered_recipients
        ):
            self.stop()

    def _report(self, error: Error) -> None:
        self._log("error", "handler-failed", {"text": text_of(error)})

    def _report_unheard(self, error: Error) -> None:
        """Of an Error that the sender is not told of."""
        if not isinstance(error, Shown):
            show(error)
        self._report(error)


class _Sink:
    """Passes results on as they come, also from a worker thread."""

    def __init__(self, session: imdp.ServerSession, stream: Stream, limits: Limits) -> None:
        self._session: Optional[imdp.ServerSession] = session
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._left = limits.recipients + limits.notes

    def result(self, result: imdp.RecipientResult) -> None:
        self._give(imdp.ServerSession.report, result)

    def note(self, text: str) -> None:
        self._give(imdp.ServerSession.note, text)

    def close(self) -> None:
        self._session = None

    def _give(self, give: Callable[[imdp.ServerSession, Any], None], what: object) -> None:
        if threading.get_ident() == self._thread:
            self._give_here(give, what)
        else:
            self._loop.call_soon_threadsafe(self._give_here, give, what)

    def _give_here(self, give: Callable[[imdp.ServerSession, Any], None], what: object) -> None:
        if self._session is None:
            raise LocalProtocolError("the message has been concluded", rule="out-of-turn")
        self._left -= 1
        if self._left >= 0:
            give(self._session, what)
            self._stream.write(self._session.take_output())


async def _call(owner: object, name: str, *arguments: object) -> Any:
    """Calls a method of a handler or of what its open() returned, which may not have it."""
    return await call_and_await(_begin_call, owner, name, *arguments)


def _begin_call(owner: object, name: str, *arguments: object) -> Any:
    """The library's handlers wait for disks, so they run on a worker thread; others decide for
    themselves by being coroutine functions."""
    method = getattr(owner, name)
    if isinstance(getattr(method, "__self__", None), (imdp.Handler, imdp.OpenTransaction)):
        return asyncio.to_thread(method, *arguments)
    return method(*arguments)
