"""What a post office asks of an account that is written in Python."""

import datetime
from typing import BinaryIO, Callable, List, Literal, Optional, Protocol, Sequence, Tuple, Union

from . import HeaderBlock, PartReceived
from . import retrieval as imrp

_Outcome = Literal["done", "gone", "changed"]


class Account(Protocol):
    """A user's mail as he sees it, for ima.net.RetrievalServer (docs/retrieval.md section 5).

    Made by by_password() or by_certificate() for each connection, called on worker threads, by one at a
    time. What an exception says reaches the user where its rule is a word of section 7, as in
    `raise ima.Refused("no such folder", rule="no-folder")`; every other one is a temporary fault.

    There may also be, each where `capabilities` of whoever proves the users has the word:

    - folders: `create_folder(folder, role)`, `rename_folder(folder, target)`, `delete_folder(folder)`
    - append: `append(folder, header, flags, arrived)`, which returns a Sink
    - search: `search(folder, query, cursor, limit)`, which returns a SearchPage
    - quota: `quota()`, which returns a QuotaStatus
    - password: `change_password(old, new)`
    - watch: `watch(folders, tell, over)`. `folders` has the state of each from which to watch;
      `tell(WatchedFolder)` says, from any thread, that one is in another; `over()` ends the user's
      connection. The watch ends with `close()` of what it returns, where there is one
    - send: `send(header, save, answered, forwarded, parts)` with the arguments of
      RetrievalClient.send(); it returns a Submission, or the Submitted of a message that was sent
      before
    - queue: `queue()`, which returns a QueuedMessage for each recipient who waits

    and `may_go_on()`, which is asked before each request: where it is not true the connection ends.
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


class Submission(Protocol):
    """A message that a user sends; forgotten where finish() is not called."""

    def write(self, piece: PartReceived) -> object:
        """The next octets of the body, verified, whether the user has just sent them or not."""
        ...

    def finish(
        self,
        outcome: Callable[[imrp.RecipientOutcome], None],
        note: Callable[[str, str], None],
    ) -> imrp.SendEnd:
        """Sends it. `outcome` and `note(host, text)` tell what becomes of it, as it happens."""
        ...
