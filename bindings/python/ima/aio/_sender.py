"""Sending a message to all its recipients' hosts, for asyncio (docs/delivery.md section 8)."""

import asyncio
import contextlib
from typing import Callable, List, Literal, Mapping, Optional, Sequence, Union

from .. import HeaderBlock, Limits, Message, MessageFile, NeedInput, ReaddressedMessage
from .. import delivery as imdp
from ..errors import (
    ConnectionFailed,
    ConnectionLost,
    Error,
    LocalProtocolError,
    RemoteProtocolError,
)
from ..net import HostReport, SendReport
from ..tls import Context
from ._stream import Deadline, Stream, allowed, check_hosts, check_type
from ._threads import Log, write_log

_PIECE_SIZE = 256 * 1024


async def send_message(
    message: Union[Message, MessageFile, ReaddressedMessage],
    tls: Context,
    *,
    hosts: Mapping[str, str] = {},
    dns_servers: Sequence[str] = (),
    limits: Limits = Limits(),
    header_round: float = 45.0,
    log: Optional[Log] = None,
) -> SendReport:
    """Sends a message to all its recipients: every host gets the header first, and only if all
    accept does the body go anywhere. `hosts` says where a hostpart is reached; others are looked up
    in the DNS."""
    check_type(message, "message", Message, MessageFile, ReaddressedMessage)
    check_type(tls, "tls", Context)
    check_hosts(hosts)
    originator = message.header.originator
    deliveries = [
        _HostDelivery(host, message, tls, hosts, dns_servers, limits, log)
        for host in dict.fromkeys(a.host for a in message.header.recipients())
    ]
    if not deliveries:
        raise LocalProtocolError("the message names no recipient", rule="recipients-missing")
    if tls.own_certificate(originator.host) is None:
        text = f"none of our certificates proves '{originator.host}'"
        raise LocalProtocolError(text, rule="no-certificate")
    try:
        await asyncio.gather(*(d.header_stage(header_round) for d in deliveries))
        objectors = [d for d in deliveries if d.refused] or [d for d in deliveries if d.problem]
        if objectors:
            for d in deliveries:
                d.withdraw(objectors[0])
        await asyncio.gather(*(d.body_stage() for d in deliveries))
    finally:
        for d in deliveries:
            d.abort()
    reports = [d.report() for d in deliveries]
    return SendReport(_sum_up(reports, any(d.refused for d in deliveries)), reports)


class _HostDelivery:
    """One message at one host.

    `problem` says why it was not delivered, and `refused` that it never will be. A host that wants
    the body, or has the message already, has no problem.
    """

    def __init__(
        self,
        host: str,
        message: Union[Message, MessageFile, ReaddressedMessage],
        tls: Context,
        hosts: Mapping[str, str],
        dns_servers: Sequence[str],
        limits: Limits,
        log: Optional[Log],
    ) -> None:
        self.host = host
        self._message = message
        self._header: HeaderBlock = message.header.for_host(host)
        self._tls = tls
        self._hosts = hosts
        self._dns_servers = dns_servers
        self._limits = limits
        self._log = log
        self._session = imdp.ClientSession(host, limits)
        self._deadline = Deadline(self._session)
        self._reading: Optional[asyncio.Timeout] = None
        self._stream: Optional[Stream] = None
        self._accepted = False
        self._sent = False
        self._finished = False
        self.problem = ""
        self._permanent = False
        self._unknown = False
        self._withdrawn = False
        self._withdrawn_for_good = False
        self._notes: List[str] = []
        self._results = [
            imdp.RecipientResult(a, "DEFER")
            for a in self._header.recipients()
            if a.host == host
        ]

    @property
    def refused(self) -> bool:
        """At least one recipient is refused for good."""
        return self._permanent or any(
            r.outcome in ("FAIL", "NORECIPIENT") for r in self._results
        )

    def report(self) -> HostReport:
        return HostReport(
            self.host,
            self._permanent or self._withdrawn_for_good,
            self._unknown,
            self._withdrawn,
            self.problem,
            self._results,
            self._notes,
        )

    def withdraw(self, objector: "_HostDelivery") -> None:
        """Does not send, where the host would take the message, because of another host."""
        if self._accepted and not self.problem:
            self._withdrawn = True
            self._withdrawn_for_good = objector.refused
            self.problem = f"not sent, because of {objector.host}"

    def abort(self) -> None:
        if self._stream is not None:
            self._stream.abort()

    async def header_stage(self, patience: float) -> None:
        try:
            async with allowed(patience, "the header round", self.host):
                self._stream = await Stream.connect(
                    self.host,
                    self._tls,
                    self._header.originator.host,
                    self._hosts,
                    self._dns_servers,
                    "delivery",
                    self._limits,
                )
                self._session.offer(self._header)
                self._flush()
                self._trace("offered", f"{len(self._header)} octets of header")
                await self._answer(lambda: self._accepted or self._finished)
        except Error as error:
            self._fail(error)

    async def body_stage(self) -> None:
        """Sends the body to a host that wants it, or takes the offer back, and closes."""
        if self._accepted and self.problem:
            with contextlib.suppress(Error):  # that it may not arrive does no harm
                self._session.cancel()
        elif self._accepted:
            await self._send_and_wait()
        await self._end()

    async def _send_and_wait(self) -> None:
        sending = asyncio.create_task(self._send_body())
        answer = asyncio.create_task(self._answer(lambda: self._finished))
        both = [sending, answer]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            wrong = sending.exception() if sending.done() else None
            # A server may answer, or close with a reason, before the body's end.
            if wrong is not None and not isinstance(wrong, ConnectionError):
                raise wrong
            await answer
        except Error as error:
            self._fail(error)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _end(self) -> None:
        if self._stream is None:
            return
        with contextlib.suppress(Error):  # it may be over already
            self._session.done()
            self._flush()
            async with allowed(self._limits.handshake, "closing", self.host):
                await self._stream.finish()

    async def _send_body(self) -> None:
        assert self._stream is not None
        self._session.data()
        async with allowed(self._limits.connection, "sending the body", self.host):
            for at in range(0, self._header.body_size, _PIECE_SIZE):
                piece = await asyncio.to_thread(self._message.read_body, at, _PIECE_SIZE)
                self._session.body(piece)
                self._flush()
                async with allowed(self._limits.line, "the server", self.host):
                    await self._stream.drained()
        self._flush()
        self._sent = True
        self._bound_reading()

    def _bound_reading(self) -> None:
        """A read that began beside the body had no end; from now on it waits for the verdict."""
        left = self._deadline.left()
        if self._reading is not None and not self._reading.expired() and left is not None:
            self._reading.reschedule(asyncio.get_running_loop().time() + left)

    async def _answer(self, enough: Callable[[], bool]) -> None:
        while not enough():
            event = self._session.next_event()
            if isinstance(event, NeedInput):
                await self._read_more()
            elif isinstance(event, imdp.ClientClosed):
                raise event.problem or ConnectionFailed("the server closed", rule="connection")
            else:
                self._note(event)

    async def _read_more(self) -> None:
        assert self._stream is not None
        try:
            async with allowed(self._deadline.left(), "the server", self.host) as self._reading:
                data = await self._stream.read()
        except RemoteProtocolError:
            raise
        except Error as error:
            if not self._sent:
                raise
            raise ConnectionLost(str(error), rule="no-verdict") from error
        finally:
            self._reading = None
        if data:
            self._session.receive(data)
        else:
            self._session.receive_eof()

    def _note(self, event: object) -> None:
        if isinstance(event, imdp.RecipientReported):
            self._trace("recipient", f"{event.result.outcome} {event.result.recipient}")
        elif isinstance(event, imdp.NoteReceived):
            self._notes.append(event.text)
        elif isinstance(event, imdp.OfferAccepted):
            self._accepted = True
            self._trace("accepted", "")
        elif isinstance(event, imdp.OfferDeclined):
            self._finished = True
            self._permanent = event.permanent
            self._results = event.results
            word = "REJECT" if event.permanent else "DEFER"
            self.problem = f"{word} {event.word} {event.text}"
            self._trace("declined", self.problem)
        elif isinstance(event, imdp.DeliveryComplete):
            self._finished = True
            self._results = event.results
            self._trace("verdict", event.verdict)

    def _fail(self, error: Error) -> None:
        if self._finished:
            return
        # Only what a domain itself says for good is for good, and a server cannot have taken what it
        # did not get.
        self._permanent = error.kind == "refused"
        self._unknown = error.kind == "unknown" and self._sent
        outcome: Literal["FAIL", "DEFER"] = "FAIL" if self._permanent else "DEFER"
        self._results = [
            imdp.RecipientResult(r.recipient, outcome, error.text) for r in self._results
        ]
        self.problem = str(error)
        self._trace("delivery-failed", self.problem)

    def _flush(self) -> None:
        if self._stream is not None:
            self._stream.write(self._session.take_output())

    def _trace(self, name: str, text: str) -> None:
        write_log(self._log, "debug", name, {"host": self.host, "text": text})


def _sum_up(
    hosts: List[HostReport], refused: bool
) -> Literal["delivered", "refused", "deferred", "mixed"]:
    got_it = [r.outcome == "OK" for h in hosts for r in h.results]
    if all(got_it):
        return "delivered"
    if any(got_it):
        return "mixed"
    return "refused" if refused else "deferred"
