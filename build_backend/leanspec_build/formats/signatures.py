"""Signatures inside of programs: who signed, and whether the bytes are still those that were signed.

Apple's are described in xnu (`cs_blobs.h`), Microsoft's in "Windows Authenticode Portable Executable
Signature Format". Whether a certificate is to be trusted is not looked at: that is the system's matter.
"""

import hashlib

from .facts import Signature
from .view import View

# The slots of an Apple signature: directories of the code's hashes, the first one and its
# alternates; and a CMS message. A blob of this length holds nothing.
DIRECTORIES = (0, *range(0x1000, 0x1006))
CMS_SLOT, EMPTY_BLOB, MOST_BLOBS = 0x10000, 8, 64
DIRECTORY_MAGIC = 0xFADE0C02
# Of a directory: magic, length, version, flags, where the hashes and the identifier are, special
# slots, code slots, end of the code, size and kind of a hash, platform, page size as a power of two.
DIRECTORY = "9I4B"
# The kind of a hash -> its name and size, the weakest first; a system looks at the strongest.
HASHES = {1: ("sha1", 20), 3: ("sha256", 20), 2: ("sha256", 32), 4: ("sha384", 48)}
STRENGTH = list(HASHES)
# Pages of 4 KiB to 64 KiB: many more hashes than bytes of code would take long.
PAGES = range(12, 17)
BLOCK = 1 << 20
# In DER, a digest stands behind the identifier of its algorithm (RFC 8017, DigestInfo), with a
# parameter that is nothing, or without one.
ALGORITHMS = {
    "sha1": bytes.fromhex("06052b0e03021a"),
    "sha256": bytes.fromhex("0609608648016503040201"),
    "sha384": bytes.fromhex("0609608648016503040202"),
    "sha512": bytes.fromhex("0609608648016503040203"),
}
NO_PARAMETER = (b"\x05\x00", b"")


def of_mach_o(code: View, start: int, size: int) -> Signature:
    """Return the signature of a slice; `start` and `size` say where in it the signature is."""
    blobs = View(code.data, ">", code.start + start, size)
    if size < blobs.size_of("3I"):
        return Signature.BROKEN
    _, _, count = blobs.unpack("3I", 0, "the code signature")
    signature, directories = Signature.AD_HOC, []
    for number in range(min(count, MOST_BLOBS)):
        kind, place = blobs.unpack("2I", 12 + 8 * number, "the code signature")
        if kind in DIRECTORIES:
            name = "the directory of the code's hashes"
            directories.append((place, *blobs.unpack(DIRECTORY, place, name)))
        elif kind == CMS_SLOT:
            _, length = blobs.unpack("2I", place, "the code signature")
            if length > EMPTY_BLOB:
                signature = Signature.IDENTITY
    readable = [fields for fields in directories if fields[11] in HASHES]
    best = max(readable, key=lambda fields: STRENGTH.index(fields[11]), default=None)
    if best is None or not _has_hashes(code, blobs, *best):
        return Signature.BROKEN
    return signature


def _has_hashes(code: View, blobs: View, place: int, *fields: int) -> bool:
    """Tell whether each page of the code has the hash that a directory states."""
    magic, _, _, _, hashes, _, _, count, end, size, kind, _, power = fields
    name, length = HASHES[kind]
    if magic != DIRECTORY_MAGIC or size != length or power not in PAGES:
        return False
    page = 1 << power
    if count != -(-end // page):
        return False
    code.must_hold(end, "the signed code")
    expected = blobs.take(place + hashes, size * count, "the hashes of the code")
    actual = (
        hashlib.new(name, code.take(at, min(page, end - at), "a page")).digest()[:size]
        for at in range(0, end, page)
    )
    return expected == b"".join(actual)


def of_pe(view: View, checksum: int, entry: int, start: int, size: int) -> Signature:
    """Return the signature of a PE file.

    `checksum` and `entry` are where the header has what a signature leaves out: the checksum, and
    the directory's entry for the signature, which is at `start`.
    """
    if not size:
        return Signature.NONE
    name, expected = _digest(view.take(start, size, "the signature"))
    if not name:
        return Signature.BROKEN
    digest = hashlib.new(name)
    parts = ((0, checksum), (checksum + 4, entry), (entry + 8, start))
    for first, end in (*parts, (start + size, view.size)):
        for at in range(first, end, BLOCK):
            digest.update(view.take(at, min(BLOCK, end - at), "the signed code"))
    return Signature.AUTHENTICODE if digest.digest() == expected else Signature.BROKEN


def _digest(message: bytes) -> tuple[str, bytes]:
    """Return the first digest of a message, which is the program's, with its algorithm; nothing if it has none."""
    digests = []
    for name, identifier in ALGORITHMS.items():
        size = hashlib.new(name).digest_size
        for parameter in NO_PARAMETER:
            mark = identifier + parameter + bytes([4, size])
            place = message.find(mark)
            if place >= 0:
                start = place + len(mark)
                digests.append((place, name, message[start : start + size]))
    _, name, digest = min(digests, default=(0, "", b""))
    return name, digest
