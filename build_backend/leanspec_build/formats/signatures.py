"""Signatures inside of programs: who signed, and whether the bytes are still those that were signed.

Apple's are described in xnu (`cs_blobs.h`), Microsoft's in "Windows Authenticode Portable Executable
Signature Format". Whether a certificate is to be trusted is not looked at: that is the system's matter.
"""

from __future__ import annotations

import hashlib

from leanspec_build.facts import Signature

from .view import View

# The slots of an Apple signature: directories of the code's hashes, the first one and its
# alternates; and a CMS message. A blob of this length holds nothing.
DIRECTORIES = (0, *range(0x1000, 0x1006))
CMS_SLOT, EMPTY_BLOB, MOST_BLOBS = 0x10000, 8, 64
DIRECTORY_MAGIC = 0xFADE0C02
# Of a directory: magic, length, version, flags, where the hashes and the identifier are, special
# slots, code slots, end of the code, size and kind of a hash, platform, page size as a power of two.
DIRECTORY = "9I4B"
HASHES = {1: "sha1", 2: "sha256", 3: "sha256", 4: "sha384"}
LARGEST_PAGE = 24
BLOCK = 1 << 20
AUTHENTICODE_HASHES = ("sha256", "sha1", "sha384", "sha512")


def of_mach_o(code: View, start: int, size: int) -> Signature:
    """Return the signature of a slice; `start` and `size` say where in it the signature is."""
    blobs = View(code.data, ">", code.start + start, size)
    if size < blobs.size_of("3I"):
        return Signature.BROKEN
    _, _, count = blobs.unpack("3I", 0, "the code signature")
    signature, directories = Signature.AD_HOC, 0
    for number in range(min(count, MOST_BLOBS)):
        kind, place = blobs.unpack("2I", 12 + 8 * number, "the code signature")
        if kind in DIRECTORIES:
            directories += 1
            if not _has_hashes(code, blobs, place):
                return Signature.BROKEN
        elif kind == CMS_SLOT:
            _, length = blobs.unpack("2I", place, "the code signature")
            if length > EMPTY_BLOB:
                signature = Signature.IDENTITY
    return signature if directories else Signature.BROKEN


def _has_hashes(code: View, blobs: View, place: int) -> bool:
    """Tell whether each page of the code has the hash that a directory states."""
    fields = blobs.unpack(DIRECTORY, place, "the directory of the code's hashes")
    magic, _, _, _, hashes, _, _, count, end, size, kind, _, power = fields
    if magic != DIRECTORY_MAGIC or kind not in HASHES or power > LARGEST_PAGE:
        return False
    # Zero stands for one page of the whole code.
    page = 1 << power if power else max(end, 1)
    if count != -(-end // page):
        return False
    code.must_hold(end, "the signed code")
    stated = blobs.take(place + hashes, size * count, "the hashes of the code")
    found = (
        hashlib.new(HASHES[kind], code.take(at, min(page, end - at), "a page")).digest()
        for at in range(0, end, page)
    )
    return stated == b"".join(digest[:size] for digest in found)


def of_pe(view: View, checksum: int, entry: int, start: int, size: int) -> Signature:
    """Return the signature of a PE file.

    `checksum` and `entry` are where the header has what a signature leaves out: the checksum, and
    the directory's entry for the signature, which is at `start`.
    """
    if not size:
        return Signature.NONE
    message = view.take(start, size, "the signature")
    parts = ((0, checksum), (checksum + 4, entry), (entry + 8, start))
    for name in AUTHENTICODE_HASHES:
        digest = hashlib.new(name)
        for first, end in (*parts, (start + size, view.size)):
            for at in range(first, end, BLOCK):
                digest.update(view.take(at, min(BLOCK, end - at), "the signed code"))
        # The message states the digest as it is, among other things (SpcIndirectDataContent).
        if digest.digest() in message:
            return Signature.AUTHENTICODE
    return Signature.BROKEN
