"""What a post office asks of an account that is written in Python."""

import datetime
from typing import BinaryIO, List, Literal, Optional, Protocol, Sequence, Tuple, Union

from . import HeaderBlock, PartReceived
from . import retrieval as imrp

_Outcome = Literal["done", "gone", "changed"]


class Account(Protocol):
    """A user's mail as he sees it, for ima.net.RetrievalServer (docs/retrieval.md section 5).

    Made by by_password() or by_certificate() for each connection, called on worker threads, by one at a
    time. What an exception says reaches the user where its rule is a word of section 7, as in
    `raise ima.Refused("no such folder", rule="no-folder")`; every other one is a temporary fault.

    There may also be `create_folder(folder, role)`, `rename_folder(folder, target)`,
    `delete_folder(folder)`, `search(folder, query, cursor, limit)`, which returns a SearchPage,
    `quota()`, which returns a QuotaStatus, `change_password(old, new)`, and
    `append(folder, header, flags, arrived)`, which returns a Sink. Whoever proves the users says in
    `capabilities` which of them there are: folders, search, quota, password, append.
    """

    def folders(self) -> Sequence[imrp.FolderInfo]:
        """All folders."""
        ...

    def status(self, folder: str) -> imrp.FolderStatus:
        """How much is in a folder, and its state."""
        ...

    def changes(self, folder: str, token: str, limit: int) -> imrp.ChangePage:
        """At most `limit` changes after a state; Refused with the rule resync for an unknown one."""
        ...

    def header(self, folder: str, id: str) -> Optional[Tuple[bytes, bytes]]:
        """A header block and the server's record, which may be empty; None: not in the folder."""
        ...

    def open_part(self, folder: str, id: str, part: int) -> Union[bytes, BinaryIO]:
        """A part, counted from 1: its octets, or a binary file that can be searched."""
        ...

    def set_flags(
        self,
        folder: str,
        ids: List[str],
        *,
        add: List[str],
        remove: List[str],
        only_if_seq: Optional[int],
    ) -> Sequence[_Outcome]:
        """One outcome for each id; durable when it returns, as are the following."""
        ...

    def remove(self, folder: str, ids: List[str]) -> Sequence[_Outcome]:
        """Deletes messages; one outcome for each id."""
        ...

    def move(self, folder: str, target: str, ids: List[str]) -> Sequence[_Outcome]:
        """Moves messages, whose ids stay; one outcome for each id."""
        ...

    def copy(self, folder: str, target: str, ids: List[str]) -> Sequence[str]:
        """The copies' ids; empty where a message is not there."""
        ...


class Sink(Protocol):
    """A message that is being put into a folder; forgotten where commit() is not called."""

    def write(self, piece: PartReceived) -> object:
        """The next octets of the body, verified."""
        ...

    def commit(self) -> str:
        """Makes it durable and visible; returns its id."""
        ...
