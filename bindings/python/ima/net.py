"""Blocking clients and servers to embed. `ima.aio` has the same names for asyncio."""

from ._account import Account, Sink, Submission
from ._ima.net import (
    DeliveryServer,
    HostReport,
    QueueRunner,
    RetrievalClient,
    RetrievalServer,
    SendReport,
    Submitted,
    Submitter,
    find_service,
    send_message,
    send_or_queue,
)

__all__ = [
    "Account",
    "DeliveryServer",
    "HostReport",
    "QueueRunner",
    "RetrievalClient",
    "RetrievalServer",
    "SendReport",
    "Sink",
    "Submission",
    "Submitted",
    "Submitter",
    "find_service",
    "send_message",
    "send_or_queue",
]
