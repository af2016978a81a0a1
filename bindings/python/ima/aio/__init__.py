"""Clients and servers for asyncio, with the names and arguments of `ima.net`.

They carry octets between asyncio's streams, libima's TLS engine and its sessions; Python's own `ssl`
is not used, as it would prove other things.
"""

from ._delivery_server import DeliveryServer
from ._retrieval_client import RetrievalClient
from ._sender import send_message

__all__ = ["DeliveryServer", "RetrievalClient", "send_message"]
