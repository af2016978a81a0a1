"""Clients and servers for asyncio, with the names and arguments of `ima.net`.

Clients and the DeliveryServer carry octets between asyncio's streams, libima's TLS engine and its
sessions; Python's own `ssl` is not used, as it would prove other things. RetrievalServer, QueueRunner
and send_or_queue(), which wait for disks above all, are those of `ima.net` on threads of their own.
"""

from ..net import Account, HostReport, SendReport, Sink, Submission, Submitted, Submitter
from ._delivery_server import DeliveryServer
from ._queue import QueueRunner, send_or_queue
from ._retrieval_client import RetrievalClient
from ._retrieval_server import RetrievalServer
from ._sender import send_message
from ._stream import find_service

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
