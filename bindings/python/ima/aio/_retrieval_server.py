"""A post office, for asyncio."""

import asyncio
import os
from typing import Any, List, Optional, Sequence, Union

from .. import Limits, net, service
from ..tls import Context
from ._served import Served
from ._threads import Log, OnLoop, log_on


class RetrievalServer(Served[net.RetrievalServer]):
    """A post office over mailboxes on disk, or over what `users` make up.

    The server is that of ima.net, on its own threads. Where `users` is an object in Python, its
    methods and those of its accounts, which are called on the event loop, may be coroutine
    functions; what open_part() returns is read on a worker thread.
    """

    def __init__(
        self,
        users: Any,
        tls: Context,
        *,
        listen: Sequence[str] = ("[::]:20093",),
        limits: Limits = Limits(),
        workers: int = 4,
        connections: int = 1000,
        trust_issued_names: bool = False,
        indexes: Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"] = "",
        sender: Optional[net.Submitter] = None,
        log: Optional[Log] = None,
    ) -> None:
        """Listens once it is started."""
        super().__init__(tls)
        self._users = users
        self._listen = listen
        self._limits = limits
        self._workers = workers
        self._connections = connections
        self._trust_issued_names = trust_issued_names
        self._indexes = indexes
        self._sender = sender
        self._log = log

    def _make(self, loop: asyncio.AbstractEventLoop) -> net.RetrievalServer:
        kept_here = isinstance(self._users, service.Accounts)
        return net.RetrievalServer(
            self._users if kept_here else OnLoop(self._users, loop),
            self._tls,
            listen=self._listen,
            limits=self._limits,
            workers=self._workers,
            connections=self._connections,
            trust_issued_names=self._trust_issued_names,
            indexes=self._indexes,
            sender=self._sender,
            log=log_on(loop, self._log),
        )

    @property
    def addresses(self) -> List[str]:
        """Where it listens, with the ports."""
        return [] if self._inner is None else self._inner.addresses

    async def __aenter__(self) -> "RetrievalServer":
        await self.start()
        return self
