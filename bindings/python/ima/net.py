"""Blocking clients and servers to embed. `ima.aio` has the same names for asyncio."""

from ._ima.net import (
    DeliveryServer,
    HostReport,
    RetrievalClient,
    RetrievalServer,
    SendReport,
    send_message,
)

__all__ = [
    "DeliveryServer",
    "HostReport",
    "RetrievalClient",
    "RetrievalServer",
    "SendReport",
    "send_message",
]
