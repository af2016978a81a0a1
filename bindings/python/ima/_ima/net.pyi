import datetime
from typing import (
    Callable,
    ClassVar,
    Dict,
    List,
    Literal,
    Mapping,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Union,
)

from .._account import Account
from . import Digest, HeaderBlock, Limits, Message, MessageFile, PartReceived
from . import ReaddressedMessage, _Buffer, _Path
from . import delivery, retrieval, service, tls

_Log = Callable[[str, str, Dict[str, str]], object]
_Outcome = Literal["done", "gone", "changed"]
_Message = Union[Message, MessageFile, ReaddressedMessage]
_Told = Callable[[Union[retrieval.OutcomeReply, retrieval.NoteReply]], object]

class _Transaction(Protocol):
    def judge(self) -> delivery.HeaderAnswer: ...
    def body(self, piece: PartReceived) -> object: ...
    def finish(self, sink: delivery.ReplySink) -> str: ...

class _Handler(Protocol):
    def open(self, header: HeaderBlock, peer: delivery.PeerInfo) -> _Transaction: ...

class _Users(Protocol):
    def by_password(self, user: str, password: bytes) -> Union[_Path, Account, None]: ...
    def by_certificate(
        self, user: str, key: Digest, names: List[str]
    ) -> Union[_Path, Account, None]: ...

class HostReport:
    __match_args__: ClassVar[Tuple[str, ...]]
    def __init__(
        self,
        host: str,
        permanent: bool,
        unknown: bool,
        withdrawn: bool,
        problem: str,
        results: Sequence[delivery.RecipientResult],
        notes: Sequence[str],
    ) -> None: ...
    @property
    def host(self) -> str: ...
    @property
    def permanent(self) -> bool: ...
    @property
    def unknown(self) -> bool: ...
    @property
    def withdrawn(self) -> bool: ...
    @property
    def problem(self) -> str: ...
    @property
    def results(self) -> List[delivery.RecipientResult]: ...
    @property
    def notes(self) -> List[str]: ...

class SendReport:
    __match_args__: ClassVar[Tuple[str, ...]]
    def __init__(
        self,
        outcome: Literal["delivered", "refused", "deferred", "mixed"],
        hosts: Sequence[HostReport],
    ) -> None: ...
    @property
    def queued(self) -> bool: ...
    @property
    def outcome(self) -> Literal["delivered", "refused", "deferred", "mixed"]: ...
    @property
    def hosts(self) -> List[HostReport]: ...

def send_message(
    message: _Message,
    tls: tls.Context,
    *,
    hosts: Mapping[str, str] = ...,
    dns_servers: Sequence[str] = ...,
    limits: Limits = ...,
    header_round: float = ...,
    log: Optional[_Log] = ...,
) -> SendReport: ...

def find_service(
    hostpart: str,
    kind: Literal["delivery", "retrieval"],
    *,
    dns_servers: Sequence[str] = ...,
) -> List[str]: ...
def send_or_queue(
    message: _Message,
    queue: service.Queue,
    tls: tls.Context,
    *,
    hosts: Mapping[str, str] = ...,
    dns_servers: Sequence[str] = ...,
    limits: Limits = ...,
    header_round: float = ...,
    retry: service.RetryPolicy = ...,
    log: Optional[_Log] = ...,
) -> SendReport: ...

class Submitted:
    __match_args__: ClassVar[Tuple[str, ...]]
    def __init__(
        self,
        verdict: retrieval._Verdict,
        saved: str,
        outcomes: Sequence[retrieval.RecipientOutcome],
        notes: Sequence[retrieval.NoteReply],
    ) -> None: ...
    @property
    def verdict(self) -> retrieval._Verdict: ...
    @property
    def saved(self) -> str: ...
    @property
    def outcomes(self) -> List[retrieval.RecipientOutcome]: ...
    @property
    def notes(self) -> List[retrieval.NoteReply]: ...

class RetrievalClient:
    @staticmethod
    def connect(
        host: str,
        tls: tls.Context,
        *,
        hosts: Mapping[str, str] = ...,
        dns_servers: Sequence[str] = ...,
        certificate_name: str = ...,
        limits: Limits = ...,
        timeout: Optional[float] = ...,
    ) -> RetrievalClient: ...
    def __enter__(self) -> RetrievalClient: ...
    def __exit__(self, *raised: object) -> None: ...
    def authenticate(
        self, user: str, password: Optional[_Buffer] = ..., *, timeout: Optional[float] = ...
    ) -> None: ...
    def folders(self, *, timeout: Optional[float] = ...) -> List[retrieval.FolderInfo]: ...
    def status(self, folder: str, *, timeout: Optional[float] = ...) -> retrieval.FolderStatus: ...
    def changes(
        self, folder: str, token: str = ..., limit: int = ..., *, timeout: Optional[float] = ...
    ) -> retrieval.ChangePage: ...
    def headers(
        self, folder: str, ids: Sequence[str], *, timeout: Optional[float] = ...
    ) -> List[retrieval.HeaderReply]: ...
    def fetch(
        self,
        folder: str,
        id: str,
        part: int,
        into: Callable[[bytes], object],
        offset: int = ...,
        length: Optional[int] = ...,
        *,
        timeout: Optional[float] = ...,
    ) -> int: ...
    def set_flags(
        self,
        folder: str,
        ids: Sequence[str],
        *,
        add: Sequence[str] = ...,
        remove: Sequence[str] = ...,
        only_if_seq: Optional[int] = ...,
        timeout: Optional[float] = ...,
    ) -> List[_Outcome]: ...
    def remove(
        self, folder: str, ids: Sequence[str], *, timeout: Optional[float] = ...
    ) -> List[_Outcome]: ...
    def move(
        self, folder: str, target: str, ids: Sequence[str], *, timeout: Optional[float] = ...
    ) -> List[_Outcome]: ...
    def copy(
        self, folder: str, target: str, ids: Sequence[str], *, timeout: Optional[float] = ...
    ) -> List[str]: ...
    @property
    def capabilities(self) -> List[str]: ...
    def create_folder(
        self, folder: str, role: str = ..., *, timeout: Optional[float] = ...
    ) -> None: ...
    def rename_folder(
        self, folder: str, target: str, *, timeout: Optional[float] = ...
    ) -> None: ...
    def delete_folder(self, folder: str, *, timeout: Optional[float] = ...) -> None: ...
    def search(
        self,
        folder: str,
        query: retrieval.SearchQuery,
        cursor: str = ...,
        limit: int = ...,
        *,
        timeout: Optional[float] = ...,
    ) -> retrieval.SearchPage: ...
    def quota(self, *, timeout: Optional[float] = ...) -> retrieval.QuotaStatus: ...
    def change_password(
        self, old_password: _Buffer, new_password: _Buffer, *, timeout: Optional[float] = ...
    ) -> None: ...
    def append(
        self,
        folder: str,
        message: _Message,
        *,
        flags: Sequence[str] = ...,
        arrived: Optional[datetime.datetime] = ...,
        timeout: Optional[float] = ...,
    ) -> str: ...
    def send(
        self,
        message: _Message,
        *,
        save: str = ...,
        answered: retrieval._References = ...,
        forwarded: retrieval._References = ...,
        parts: retrieval._PartReferences = ...,
        told: Optional[_Told] = ...,
        timeout: Optional[float] = ...,
    ) -> Submitted: ...
    def queue(self, *, timeout: Optional[float] = ...) -> List[retrieval.QueuedMessage]: ...
    def watch(self, folders: Mapping[str, str], *, timeout: Optional[float] = ...) -> None: ...
    def wait_for_change(self, patience: Optional[float] = ...) -> Optional[retrieval.WatchedFolder]: ...
    def done(self, *, timeout: Optional[float] = ...) -> None: ...

class DeliveryServer:
    def __init__(
        self,
        handler: Union[delivery.Handler, _Handler],
        tls: tls.Context,
        *,
        listen: Sequence[str] = ...,
        limits: Limits = ...,
        workers: int = ...,
        connections: int = ...,
        connections_per_peer: int = ...,
        log: Optional[_Log] = ...,
    ) -> None: ...
    def __enter__(self) -> DeliveryServer: ...
    def run(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def wait(self) -> None: ...
    def use(self, tls: tls.Context) -> None: ...
    def __exit__(self, *raised: object) -> None: ...
    @property
    def addresses(self) -> List[str]: ...

class Submitter:
    def __init__(
        self,
        tls: tls.Context,
        *,
        hosts: Mapping[str, str] = ...,
        dns_servers: Sequence[str] = ...,
        limits: Limits = ...,
        header_round: float = ...,
        queue: Optional[service.Queue] = ...,
        retry: service.RetryPolicy = ...,
        log: Optional[_Log] = ...,
    ) -> None: ...
    def use(self, tls: tls.Context) -> None: ...

class QueueRunner:
    def __init__(
        self,
        queue: service.Queue,
        tls: tls.Context,
        *,
        hosts: Mapping[str, str] = ...,
        dns_servers: Sequence[str] = ...,
        limits: Limits = ...,
        retry: service.RetryPolicy = ...,
        scan: float = ...,
        log: Optional[_Log] = ...,
    ) -> None: ...
    def __enter__(self) -> QueueRunner: ...
    def run_once(self) -> None: ...
    def run(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def wait(self) -> None: ...
    def use(self, tls: tls.Context) -> None: ...
    def __exit__(self, *raised: object) -> None: ...

class RetrievalServer:
    def __init__(
        self,
        users: Union[service.Accounts, _Users],
        tls: tls.Context,
        *,
        listen: Sequence[str] = ...,
        limits: Limits = ...,
        workers: int = ...,
        connections: int = ...,
        trust_issued_names: bool = ...,
        indexes: _Path = ...,
        sender: Optional[Submitter] = ...,
        log: Optional[_Log] = ...,
    ) -> None: ...
    def __enter__(self) -> RetrievalServer: ...
    def run(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def wait(self) -> None: ...
    def use(self, tls: tls.Context) -> None: ...
    def __exit__(self, *raised: object) -> None: ...
    @property
    def addresses(self) -> List[str]: ...
