from typing import ClassVar, List, Literal, Optional, Protocol, Sequence, Tuple, Union

from ..errors import Error
from . import (
    Address,
    Digest,
    HeaderBlock,
    Limits,
    NeedInput,
    PartReceived,
    _AddressLike,
    _Buffer,
)

_Outcome = Literal["OK", "FAIL", "DEFER", "NORECIPIENT"]
_Verdict = Literal["OK", "FAIL", "PARTIAL", "DEFER"]
_Reason = Literal[
    "syntax",
    "identity",
    "size",
    "recipients",
    "quota",
    "policy",
    "loop",
    "in-progress",
    "lapsed",
    "busy",
    "storage",
    "shutdown",
    "internal",
]
_Kind = Literal["accept", "reject", "defer", "verdict", "drop"]

class RecipientResult:
    __match_args__: ClassVar[Tuple[str, ...]]
    def __init__(self, recipient: _AddressLike, outcome: _Outcome, text: str = ...) -> None: ...
    @property
    def recipient(self) -> Address: ...
    @property
    def outcome(self) -> _Outcome: ...
    @property
    def text(self) -> str: ...

class PeerInfo:
    __match_args__: ClassVar[Tuple[str, ...]]
    def __init__(
        self,
        host: str = ...,
        verified_domain: str = ...,
        address: str = ...,
        tls: str = ...,
        certificate: Digest = ...,
    ) -> None: ...
    @property
    def host(self) -> str: ...
    @property
    def verified_domain(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def tls(self) -> str: ...
    @property
    def certificate(self) -> Digest: ...

class HeaderAnswer:
    __match_args__: ClassVar[Tuple[str, ...]]
    def __init__(
        self,
        what: _Kind,
        *,
        why: _Reason = ...,
        text: str = ...,
        already: Sequence[_AddressLike] = ...,
        unknown: Sequence[_AddressLike] = ...,
        verdict: _Verdict = ...,
    ) -> None: ...
    @property
    def what(self) -> _Kind: ...
    @property
    def why(self) -> _Reason: ...
    @property
    def text(self) -> str: ...
    @property
    def already(self) -> List[Address]: ...
    @property
    def unknown(self) -> List[Address]: ...
    @property
    def verdict(self) -> _Verdict: ...

class GreetingReceived:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def max_size(self) -> int: ...
    @property
    def capabilities(self) -> List[str]: ...

class RecipientReported:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def result(self) -> RecipientResult: ...

class NoteReceived:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def text(self) -> str: ...

class OfferAccepted:
    __match_args__: ClassVar[Tuple[str, ...]]

class OfferDeclined:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def permanent(self) -> bool: ...
    @property
    def word(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def results(self) -> List[RecipientResult]: ...

class DeliveryComplete:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def verdict(self) -> _Verdict: ...
    @property
    def results(self) -> List[RecipientResult]: ...

class ClientClosed:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def problem(self) -> Optional[Error]: ...

_ClientEvent = Union[
    NeedInput,
    GreetingReceived,
    RecipientReported,
    NoteReceived,
    OfferAccepted,
    OfferDeclined,
    DeliveryComplete,
    ClientClosed,
]

class ClientSession:
    def __init__(self, host: str, limits: Limits = ...) -> None: ...
    def receive(self, data: _Buffer) -> None: ...
    def receive_eof(self) -> None: ...
    def next_event(self) -> _ClientEvent: ...
    def offer(self, header: HeaderBlock) -> None: ...
    def data(self) -> None: ...
    def body(self, piece: _Buffer) -> None: ...
    def cancel(self) -> None: ...
    def done(self) -> None: ...
    def take_output(self) -> bytes: ...
    @property
    def timeout(self) -> Optional[float]: ...
    @property
    def step(self) -> int: ...

class Waiting:
    __match_args__: ClassVar[Tuple[str, ...]]

class MessageOffered:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def header(self) -> HeaderBlock: ...

class OfferRefused:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def why(self) -> _Reason: ...
    @property
    def problem(self) -> Error: ...

class BodyComplete:
    __match_args__: ClassVar[Tuple[str, ...]]

class BodyDamaged:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def problem(self) -> Error: ...

class OfferCancelled:
    __match_args__: ClassVar[Tuple[str, ...]]

class ServerClosed:
    __match_args__: ClassVar[Tuple[str, ...]]
    @property
    def problem(self) -> Optional[Error]: ...

_ServerEvent = Union[
    NeedInput,
    Waiting,
    MessageOffered,
    OfferRefused,
    PartReceived,
    BodyComplete,
    BodyDamaged,
    OfferCancelled,
    ServerClosed,
]

class ServerSession:
    def __init__(self, host: str, limits: Limits = ...) -> None: ...
    def receive(self, data: _Buffer) -> None: ...
    def receive_eof(self) -> None: ...
    def next_event(self) -> _ServerEvent: ...
    def answer(self, answer: HeaderAnswer) -> None: ...
    def lapse(self) -> None: ...
    def abandon(self, text: str, permanent: bool = ...) -> None: ...
    def report(self, result: RecipientResult) -> None: ...
    def note(self, text: str) -> None: ...
    def conclude(self, verdict: _Verdict) -> None: ...
    def stop(self) -> None: ...
    def take_output(self) -> bytes: ...
    @property
    def timeout(self) -> Optional[float]: ...
    @property
    def step(self) -> int: ...
    @property
    def accept_pending(self) -> bool: ...

class ReplySink:
    def result(self, result: RecipientResult) -> None: ...
    def note(self, text: str) -> None: ...

class _Sink(Protocol):
    def result(self, result: RecipientResult) -> None: ...
    def note(self, text: str) -> None: ...

class OpenTransaction:
    def judge(self) -> HeaderAnswer: ...
    def body(self, piece: PartReceived) -> None: ...
    def finish(self, sink: _Sink) -> Literal["OK", "FAIL", "PARTIAL", "DEFER", "DROP"]: ...

class Handler:
    def open(self, header: HeaderBlock, peer: PeerInfo) -> OpenTransaction: ...
