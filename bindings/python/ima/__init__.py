"""libima for Python: mail between domains by the Internet Mail Architecture.

This module holds the message model. The rest is in modules of its own: `ima.tls` (identity and
TLS), `ima.delivery` and `ima.retrieval` (the protocols, without input or output), `ima.mailbox`
(mail on disk), `ima.service` (routing, users), `ima.net` (blocking clients and servers), `ima.aio`
(the same for asyncio) and `ima.errors`.

>>> import ima
>>> message = ima.Message.build(
...     [("from", "alice@a.example"), ("to", "bob@b.example"), ("subject", "Photos")],
...     [ima.Part(b"hello\\n", "text/plain")])
>>> len(message.header.digest.hex())
64
"""

from ._ima import _check_interpreter

_check_interpreter()
from ._ima import (
    Address,
    Composition,
    Digest,
    FilePart,
    Hasher,
    HeaderBlock,
    HeaderBuilder,
    HeaderReceived,
    Limits,
    Message,
    MessageComplete,
    MessageFile,
    MessageParser,
    NamedAddress,
    NeedInput,
    Part,
    PartInfo,
    PartReceived,
    ReaddressedMessage,
    __version__,
    address_from_person,
    check_hostpart,
    guess_media_type,
    hostpart_from_unicode,
    hostpart_to_unicode,
    new_message_id,
    printable,
)
from .errors import (
    ConnectionFailed,
    ConnectionLost,
    Error,
    LocalProtocolError,
    MailboxCallError,
    MailboxError,
    MailboxFailure,
    MailboxFull,
    Refused,
    RemoteProtocolError,
    TemporaryError,
    TimedOut,
    UnknownOutcome,
)

__all__ = [
    "Address",
    "Composition",
    "ConnectionFailed",
    "ConnectionLost",
    "Digest",
    "Error",
    "FilePart",
    "Hasher",
    "HeaderBlock",
    "HeaderBuilder",
    "HeaderReceived",
    "Limits",
    "LocalProtocolError",
    "MailboxCallError",
    "MailboxError",
    "MailboxFailure",
    "MailboxFull",
    "Message",
    "MessageComplete",
    "MessageFile",
    "MessageParser",
    "NamedAddress",
    "NeedInput",
    "Part",
    "PartInfo",
    "PartReceived",
    "ReaddressedMessage",
    "Refused",
    "RemoteProtocolError",
    "TemporaryError",
    "TimedOut",
    "UnknownOutcome",
    "__version__",
    "address_from_person",
    "check_hostpart",
    "guess_media_type",
    "hostpart_from_unicode",
    "hostpart_to_unicode",
    "new_message_id",
    "printable",
]
