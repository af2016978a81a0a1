"""Identity and TLS: whose domain a certificate proves, and TLS 1.3 without a socket."""

from ._ima.tls import (
    CertificateFacts,
    Context,
    Engine,
    PeerFacts,
    covers,
    proves,
    read_certificate,
)

__all__ = [
    "CertificateFacts",
    "Context",
    "Engine",
    "PeerFacts",
    "covers",
    "proves",
    "read_certificate",
]
