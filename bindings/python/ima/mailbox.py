"""Mail on disk: a mailbox as a post office or a reader sees it, and delivery into it."""

from ._ima.mailbox import (
    ChangePage,
    Delivered,
    Entry,
    EntryIterator,
    Folder,
    FolderStatus,
    Mailbox,
    Report,
    StoredHeader,
    Target,
    contains,
    deliver,
)

__all__ = [
    "ChangePage",
    "Delivered",
    "Entry",
    "EntryIterator",
    "Folder",
    "FolderStatus",
    "Mailbox",
    "Report",
    "StoredHeader",
    "Target",
    "contains",
    "deliver",
]
