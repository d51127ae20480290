"""Bounds-checked reads from the bytes of a file.

A header may claim any number. What is read here is bounded, so that a damaged or hostile file is
answered at once.
"""

import contextlib
import mmap
import struct
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from typing import IO, Any

from leanspec_build.errors import BuildError

Bytes = bytes | mmap.mmap
# Where a part of a file begins and ends.
Range = tuple[int, int]
LONGEST_NAME = 4096  # PATH_MAX of Linux, and more than any other system takes
# Machine code shrinks to some half, text to less; what a packer leaves does not shrink.
PACKED_RATIO = 0.93
SAMPLE = 1 << 16
FEW_BYTES = 1 << 12
# Up to this, bytes are not copied to the disk.
SMALL_FILE = 1 << 20
# So small that the allocator of Linux gives it back.
PIECE = 1 << 16
GIVE_BACK_SECONDS = 0.01
# The end of a file that is looked at for zeros: a quarter, of small files a half.
SMALL_END, ZEROS_SAMPLE, ZEROS_SAMPLES = 1 << 14, 1 << 12, 256


def load_bytes(file: IO[bytes], size: int) -> Bytes:
    """Return the next bytes of a file; of many, a private copy on the disk, which is read as it is used.

    Raises EOFError if there are fewer.
    """
    if size <= SMALL_FILE:
        small = file.read(size)
        if len(small) < size:
            raise EOFError(f"it ends after {len(small)} of {size} bytes")
        return small
    with tempfile.TemporaryFile() as copy:
        while copy.tell() < size:
            piece = file.read(min(PIECE, size - copy.tell()))
            if not piece:
                raise EOFError(f"it ends after {copy.tell()} of {size} bytes")
            copy.write(piece)
        return mapped(copy)


def mapped(file: IO[bytes]) -> mmap.mmap:
    """Return the bytes of a private file, which lives as long as they do."""
    file.flush()
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def pieces(data: Bytes) -> Iterator[bytes]:
    """Yield bytes in order, and give back what was read of a large file."""
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
        give_back(data)


def give_back(data: Bytes) -> None:
    """Give the memory of a large file back to the system, which reads the file again if needed."""
    if sys.platform != "win32" and isinstance(data, mmap.mmap):
        data.madvise(mmap.MADV_DONTNEED)


@contextlib.contextmanager
def in_little_memory(data: Bytes) -> Iterator[None]:
    """Give back what was read of a large file, again and again, while it is read on.

    Compressing wants all of it at once, goes through it once, and lets other threads run.
    """
    if not isinstance(data, mmap.mmap):
        yield
        return
    is_over = threading.Event()

    def give_back_often() -> None:
        while not is_over.wait(GIVE_BACK_SECONDS):
            give_back(data)

    thread = threading.Thread(target=give_back_often)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        give_back(data)


class View:
    """A part of a file in one byte order. What is not wholly in it raises BuildError."""

    def __init__(
        self, data: Bytes, order: str = "<", start: int = 0, size: int | None = None
    ) -> None:
        self.data = data
        self.order = order
        self.start = start
        self.size = len(data) - start if size is None else size

    def must_hold(self, end: int, part: str) -> None:
        """Fail if `part`, which ends at the offset `end`, is not wholly there."""
        if end > self.size:
            raise BuildError(
                f"is truncated: {part} ends at byte {end}, the file has {self.size}"
            )

    def size_of(self, layout: str) -> int:
        """Return the size of a record, in bytes."""
        return struct.calcsize(self.order + layout)

    def unpack(self, layout: str, offset: int, part: str) -> tuple[Any, ...]:
        """Return the fields of one record."""
        record = struct.Struct(self.order + layout)
        self.must_hold(offset + record.size, part)
        return record.unpack_from(self.data, self.start + offset)

    def table(
        self, layout: str, offset: int, count: int, part: str
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the fields of records that follow one another."""
        record = struct.Struct(self.order + layout)
        return record.iter_unpack(self.take(offset, record.size * count, part))

    def take(self, offset: int, size: int, part: str) -> bytes:
        """Return some bytes."""
        self.must_hold(offset + size, part)
        return self.data[self.start + offset : self.start + offset + size]

    def text(self, offset: int, end: int, part: str) -> str:
        """Return a text that ends with a zero byte before the offset `end`."""
        end = min(end, self.size, offset + LONGEST_NAME)
        stop = (
            self.data.find(b"\0", self.start + offset, self.start + end)
            if 0 <= offset < end
            else -1
        )
        if stop < 0:
            raise BuildError(f"is damaged: {part} does not end within {LONGEST_NAME} bytes")
        return self.data[self.start + offset : stop].decode("utf-8", "replace")

    def is_compressed(self, offset: int, size: int) -> bool:
        """Tell whether three samples of some bytes all fail to shrink, as code and text never do."""
        if size < FEW_BYTES:
            return False
        places = [offset + size * part // 4 for part in range(1, 4)]
        samples = [
            self.take(place, min(SAMPLE, offset + size - place), "a segment")
            for place in places
        ]
        return all(
            len(zlib.compress(sample, 1)) > PACKED_RATIO * len(sample) for sample in samples
        )


def ends_in_zeros(data: Bytes) -> bool:
    """Tell whether the last part of a file is zeros, as of a download that broke off in a reserved place.

    Samples decide, so that a sparse file is not read. No program ends so: its last bytes are tables,
    or a signature.
    """
    size = len(data)
    if size < FEW_BYTES:
        return False
    end = max(size // 4, min(size // 2, SMALL_END))
    step = max(end // ZEROS_SAMPLES, ZEROS_SAMPLE)
    places = range(size - ZEROS_SAMPLE, size - end - ZEROS_SAMPLE, -step)
    samples = (data[max(place, size - end) : place + ZEROS_SAMPLE] for place in places)
    return not any(sample.strip(b"\0") for sample in samples)


def unsigned_number(data: Bytes, place: int, end: int) -> tuple[int, int]:
    """Return a number in 7 bits per byte (ULEB128), and where it ends."""
    value = shift = 0
    while place < end and shift < 64:  # noqa: PLR2004 - bits of the largest number
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            break
    return value, place
