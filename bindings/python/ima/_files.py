"""Parts of messages as binary file objects."""

import io
import operator
from typing import Callable, Optional

ReadInto = Callable[[int, memoryview], int]


class PartFile(io.RawIOBase):
    """A part that is read where it lies; nothing but the caller's buffer is filled."""

    def __init__(self, read_into: ReadInto, size: int) -> None:
        self._read_into: Optional[ReadInto] = read_into
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if self._read_into is None:
            raise ValueError("I/O operation on closed file")
        if whence not in (io.SEEK_SET, io.SEEK_CUR, io.SEEK_END):
            raise ValueError("an unknown whence")
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        offset = operator.index(offset)
        if base + offset < 0:
            raise ValueError("a negative position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        if self._read_into is None:
            raise ValueError("I/O operation on closed file")
        count = self._read_into(self._at, memoryview(buffer).cast("B"))
        self._at += count
        return count

    def close(self) -> None:
        self._read_into = None
        super().close()


def open_part(read_into: ReadInto, size: int) -> io.BufferedReader:
    """What `open_part()` of messages and mailboxes returns."""
    return io.BufferedReader(PartFile(read_into, size), 64 * 1024)
