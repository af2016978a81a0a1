"""What libima raises: whose fault it was, which rule, and where.

Every exception is an `Error` with the members `kind`, `rule`, `place` and `text`. The rules are the
words that the specification lists.

>>> import ima
>>> try:
...     ima.Address("nobody")
... except ima.Error as error:
...     print(error.kind, error.rule)
peer address-syntax
"""

from typing import ClassVar, Dict, Tuple, Type

from ._ima import _message

__all__ = [
    "ConnectionFailed",
    "ConnectionLost",
    "Error",
    "LocalProtocolError",
    "MailboxCallError",
    "MailboxError",
    "MailboxFailure",
    "MailboxFull",
    "Refused",
    "RemoteProtocolError",
    "TemporaryError",
    "TimedOut",
    "UnknownOutcome",
]


class Error(Exception):
    """Anything that libima reports. `kind` says whose fault it is and so what to do about it."""

    kind: ClassVar[str] = "temporary"

    def __init__(self, text: str, *, rule: str = "", place: str = "") -> None:
        super().__init__(_message(rule, place, text))
        self.text = text
        self.rule = rule
        self.place = place

    def __reduce__(self) -> Tuple[object, ...]:
        return (_again, (type(self), self.text, self.rule, self.place), self.__dict__)


class RemoteProtocolError(Error, ValueError):
    """Input breaks a rule: a message, a peer's line, a certificate. Repeating does not help."""

    kind = "peer"


class LocalProtocolError(Error):
    """The program called out of turn, or with a bad argument or setting. Nothing has changed."""

    kind = "caller"


class TemporaryError(Error):
    """A resource failed: disk, network, time. The same may work later."""


class Refused(Error):
    """The other side understood and said no for good."""

    kind = "refused"


class UnknownOutcome(Error):
    """The outcome is not known, as the connection ended before it. It is safe to repeat."""

    kind = "unknown"


class ConnectionFailed(TemporaryError, ConnectionError):
    """A connection could not be made, or ended when nothing was under way."""


class ConnectionLost(UnknownOutcome, ConnectionError):
    """A connection ended before the answer came."""


class TimedOut(TemporaryError, TimeoutError):
    """The other side, or an operation, took longer than it was allowed."""


class MailboxError(Error):
    """What a mailbox on disk reports."""


class MailboxCallError(MailboxError, LocalProtocolError):
    """A mailbox was asked for what it has not: a folder, a message, a part, a known state."""

    kind = "caller"


class MailboxFailure(MailboxError, TemporaryError):
    """The disk below a mailbox failed, or what is there is damaged."""


class MailboxFull(MailboxError, Refused):
    """The mailbox has a limit, and this does not fit any more."""

    kind = "refused"


_by_kind: Dict[str, Type[Error]] = {
    "peer": RemoteProtocolError,
    "caller": LocalProtocolError,
    "temporary": TemporaryError,
    "refused": Refused,
    "unknown": UnknownOutcome,
}
_of_mailboxes: Dict[str, Type[Error]] = {
    "caller": MailboxCallError,
    "temporary": MailboxFailure,
    "refused": MailboxFull,
}
_by_rule: Dict[Tuple[str, str], Type[Error]] = {
    ("temporary", "connection"): ConnectionFailed,
    ("temporary", "tls-truncated"): ConnectionFailed,
    ("temporary", "timeout"): TimedOut,
    ("unknown", "connection-lost"): ConnectionLost,
    ("unknown", "no-verdict"): ConnectionLost,
}


def make(kind: str, rule: str, place: str, text: str, mailbox: bool = False) -> Error:
    """The exception for an error of the library."""
    special = _of_mailboxes.get(kind) if mailbox else _by_rule.get((kind, rule))
    return (special or _by_kind[kind])(text, rule=rule, place=place)


def _again(kind: Type[Error], text: str, rule: str, place: str) -> Error:
    """A copy, also of a class whose constructor takes something else."""
    made = kind.__new__(kind)
    Error.__init__(made, text, rule=rule, place=place)
    return made
