"""Internet mail (RFC 5322, MIME) to and from messages; only where libima was built with it."""

from ._ima.translate import (
    MirrorChanges,
    Remark,
    Transferred,
    Translated,
    file_to_message,
    from_mail,
    mirror_to_maildir,
    to_mail,
    transfer,
)

__all__ = [
    "MirrorChanges",
    "Remark",
    "Transferred",
    "Translated",
    "file_to_message",
    "from_mail",
    "mirror_to_maildir",
    "to_mail",
    "transfer",
]
