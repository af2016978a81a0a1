"""Sending by way of a queue, for asyncio."""

import asyncio
from typing import Mapping, Optional, Sequence, Union

from .. import Limits, Message, MessageFile, ReaddressedMessage, net
from ..service import Queue, RetryPolicy
from ..tls import Context
from ._served import Served
from ._threads import Log, log_on


async def send_or_queue(
    message: Union[Message, MessageFile, ReaddressedMessage],
    queue: Queue,
    tls: Context,
    *,
    hosts: Mapping[str, str] = {},
    dns_servers: Sequence[str] = (),
    limits: Limits = Limits(),
    header_round: float = 45.0,
    retry: RetryPolicy = RetryPolicy(),
    log: Optional[Log] = None,
) -> net.SendReport:
    """Sends a message as send_message() does, but by way of a queue: what is refused for good is
    sent nowhere, what cannot be delivered now waits for a QueueRunner. The disk decides when it is
    queued, so it goes on, on a thread, where the task is cancelled."""
    return await asyncio.to_thread(
        net.send_or_queue,
        message,
        queue,
        tls,
        hosts=hosts,
        dns_servers=dns_servers,
        limits=limits,
        header_round=header_round,
        retry=retry,
        log=log_on(asyncio.get_running_loop(), log),
    )


class QueueRunner(Served[net.QueueRunner]):
    """Delivers what is due in a queue, on threads of its own.

    Any number of runners may share a queue. `run_once()` tries what is due and returns; an `async
    with` statement, start() or run() keep at it.
    """

    def __init__(
        self,
        queue: Queue,
        tls: Context,
        *,
        hosts: Mapping[str, str] = {},
        dns_servers: Sequence[str] = (),
        limits: Limits = Limits(),
        retry: RetryPolicy = RetryPolicy(),
        scan: float = 1.0,
        log: Optional[Log] = None,
    ) -> None:
        """`scan` is how often it looks for new messages."""
        super().__init__(tls)
        self._queue = queue
        self._hosts = hosts
        self._dns_servers = dns_servers
        self._limits = limits
        self._retry = retry
        self._scan = scan
        self._log = log

    def _make(self, loop: asyncio.AbstractEventLoop) -> net.QueueRunner:
        return net.QueueRunner(
            self._queue,
            self._tls,
            hosts=self._hosts,
            dns_servers=self._dns_servers,
            limits=self._limits,
            retry=self._retry,
            scan=self._scan,
            log=log_on(loop, self._log),
        )

    async def run_once(self) -> None:
        """Tries what is due now, once."""
        await asyncio.to_thread(self._made().run_once)

    async def __aenter__(self) -> "QueueRunner":
        await self.start()
        return self
