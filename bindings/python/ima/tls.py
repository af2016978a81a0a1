"""Identity and TLS: whose domain a certificate proves, and TLS 1.3 without a socket."""

from ._ima.tls import (
    CertificateFacts,
    Context,
    Engine,
    Explanation,
    PeerFacts,
    Step,
    covers,
    explain,
    proves,
    read_certificate,
)

__all__ = [
    "CertificateFacts",
    "Context",
    "Engine",
    "Explanation",
    "PeerFacts",
    "Step",
    "covers",
    "explain",
    "proves",
    "read_certificate",
]
