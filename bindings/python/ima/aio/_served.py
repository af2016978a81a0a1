"""The servers of `ima.net` that run on threads of their own, for asyncio."""

import asyncio
from typing import Any, Generic, Optional, Protocol, Set, TypeVar

from ..errors import LocalProtocolError
from ..tls import Context
from ._threads import on_own_thread


class _Server(Protocol):
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def wait(self) -> None: ...
    def use(self, tls: Context) -> None: ...


_Inner = TypeVar("_Inner", bound=_Server)
# A server that was forgotten would be ended by the thread of the loop, for which its threads wait.
_running: Set[Any] = set()


class Served(Generic[_Inner]):
    """What every one of them has. It is made when it is first needed, on a running loop."""

    def __init__(self, tls: Context) -> None:
        self._tls = tls
        self._inner: Optional[_Inner] = None

    def _make(self, loop: asyncio.AbstractEventLoop) -> _Inner:
        raise NotImplementedError

    def _made(self) -> _Inner:
        if self._inner is None:
            self._inner = self._make(asyncio.get_running_loop())
        return self._inner

    async def start(self) -> None:
        """Serves on threads of its own from now on."""
        self._made().start()
        _running.add(self)

    async def run(self) -> None:
        """Serves until stop() or the end of the task."""
        await self.start()
        try:
            await self.wait()
        finally:
            await self.__aexit__()

    def stop(self) -> None:
        """Takes no more; messages in hand are answered."""
        if self._inner is not None:
            self._inner.stop()

    async def wait(self) -> None:
        """Waits until it has stopped."""
        if self._inner is not None:
            await on_own_thread(self._inner.wait)
            _running.discard(self)

    def use(self, tls: Context) -> None:
        """New connections use `tls` from now on."""
        self._tls = tls
        if self._inner is not None:
            self._inner.use(tls)

    async def __aexit__(self, *raised: object) -> None:
        self.stop()
        await self.wait()
