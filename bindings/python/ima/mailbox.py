"""Mail on disk: a mailbox as a post office or a reader sees it, and delivery into it."""

from ._ima.mailbox import (
    ChangePage,
    Delivered,
    Entry,
    EntryIterator,
    Folder,
    FolderStatus,
    Mailbox,
    QuotaStatus,
    Report,
    SearchHit,
    SearchPage,
    StoredHeader,
    Target,
    Watch,
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
    "QuotaStatus",
    "Report",
    "SearchHit",
    "SearchPage",
    "StoredHeader",
    "Target",
    "Watch",
    "contains",
    "deliver",
]
