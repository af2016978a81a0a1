"""What the library runs on threads of its own, as an event loop sees it."""

import asyncio
import concurrent.futures
import contextlib
import functools
import inspect
import os
import threading
from typing import Any, Callable, Coroutine, Dict, Optional

from ..errors import Error, TemporaryError
from ..net import Submitted

Log = Callable[[str, str, Dict[str, str]], object]
_LOOK_AT_LOOP = 1.0  # seconds between looks whether it still runs


async def on_own_thread(work: Callable[[], None]) -> None:
    """Awaits what may block for as long as a server runs, which the loop's executor is not for."""
    loop = asyncio.get_running_loop()
    done: "asyncio.Future[None]" = loop.create_future()

    def tell(error: Optional[BaseException]) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: Optional[BaseException] = None
        try:
            work()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has been closed; nobody waits
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=run, daemon=True).start()
    await done


def log_on(loop: asyncio.AbstractEventLoop, log: Optional[Log]) -> Optional[Log]:
    """A log for the library's threads, which is called on the loop."""
    return None if log is None else functools.partial(_write, loop, log)


def _write(
    loop: asyncio.AbstractEventLoop, log: Log, level: str, name: str, fields: Dict[str, str]
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has been closed
        loop.call_soon_threadsafe(log, level, name, fields)


class OnLoop:
    """An object whose methods, called on the library's threads, run on the loop and are awaited
    there; so do those of the accounts, sinks, submissions and watches that they return."""

    _MAKERS = ("append", "by_certificate", "by_password", "send", "watch")
    _PLAIN = (str, bytes, os.PathLike, Submitted, type(None))

    def __init__(self, inner: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return value

        def call(*arguments: object, **named: object) -> Any:
            answer = self._wait_for(call_and_await(value, *arguments, **named))
            if name in self._MAKERS and not isinstance(answer, self._PLAIN):
                return OnLoop(answer, self._loop)
            return answer

        return call

    def _wait_for(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            running = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise _over() from None
        while not running.done():
            concurrent.futures.wait([running], _LOOK_AT_LOOP)
            if not running.done() and not self._loop.is_running():
                raise _over()
        if running.cancelled():  # by who ends the loop's tasks
            raise TemporaryError("the call was cancelled", rule="handler")
        return running.result()


async def call_and_await(method: Callable[..., Any], *arguments: object, **named: object) -> Any:
    """Calls what the program wrote, and awaits what it returns where that is awaitable. An exception
    that is no Error is shown, and is a temporary fault, unless it ends this task or the program."""
    task = asyncio.current_task()
    try:
        answer = method(*arguments, **named)
        return await answer if inspect.isawaitable(answer) else answer
    except (Error, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        if is_end_of(task, error):
            raise
        show(error)
        raise Shown(text_of(error), rule="handler") from error


def is_end_of(task: Optional["asyncio.Task[Any]"], error: BaseException) -> bool:
    """Whether an exception from what a task called is the end of the task. A CancelledError may be that
    of another that was awaited. A GeneratorExit ends this one where it comes while it does not run."""
    if isinstance(error, asyncio.CancelledError):
        return task is not None and task.cancelling() > 0
    return isinstance(error, GeneratorExit) and not _runs(task)


def _runs(task: Optional["asyncio.Task[Any]"]) -> bool:
    try:
        return asyncio.current_task() is task
    except RuntimeError:  # no loop does
        return False


def require(good: bool, text: str) -> None:
    """The same, for what the program wrote returned."""
    if not good:
        show(TypeError(text))
        raise Shown(text, rule="handler")


class Shown(TemporaryError):
    """What the loop's exception handler has been told."""


def text_of(error: BaseException) -> str:
    """What it says, whatever its class does."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def write_log(log: Optional[Log], level: str, name: str, fields: Dict[str, str]) -> None:
    """Calls a log on the loop; what it raises is shown."""
    try:
        if log is not None:
            log(level, name, fields)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        show(error)


def show(error: BaseException) -> None:
    """Gives what a handler did wrong to the loop's exception handler."""
    context = {"message": "a handler called by libima failed", "exception": error}
    asyncio.get_running_loop().call_exception_handler(context)


def _over() -> TemporaryError:
    return TemporaryError("the event loop has ended", rule="handler")
