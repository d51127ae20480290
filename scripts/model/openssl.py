"""The OpenSSL that programs for Linux are linked with, as `pyproject.toml` pins it."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT

from .manifest import release_table

TABLE = "[tool.leanspec-release.openssl]"
# The crate that every other one reaches OpenSSL through.
CRATE = "openssl-sys"
# It contains OpenSSL's own source, and states its version.
VENDORED_CRATE = "openssl-src"
# The name by which OpenSSL 3 calls the algorithms that it contains: a program into which it is
# linked has it, and one that uses the system's OpenSSL has not.
MARKER = b"OpenSSL Default Provider"


@dataclass(frozen=True)
class OpenSSL:
    """A version of OpenSSL, by its source archive."""

    version: str
    sha256: str
    url: str
    pinned: dt.date
    """The day on which the version was chosen."""
    advisory: str = ""
    """What is known to be wrong with it."""

    @property
    def record(self) -> dict[str, str]:
        """What `binary.json` states of it."""
        return {"name": "openssl", "version": self.version, "sha256": self.sha256}


def read_openssl(root: Path = ROOT) -> OpenSSL:
    """Return the pinned OpenSSL; raises CommandError if the pin is not complete."""
    try:
        pin = OpenSSL(**release_table(root).get("openssl", {}))
    except TypeError as error:
        raise CommandError(
            f"`pyproject.toml`, {TABLE}: {str(error).partition(' ')[2]}",
            hint="state `version`, `sha256`, `url`, `pinned` and perhaps `advisory`",
        ) from None
    if not isinstance(pin.pinned, dt.date):
        raise CommandError(
            f"`pyproject.toml`, {TABLE}: `pinned` is not a date",
            hint="write it without quotation marks, as in `pinned = 2026-11-29`",
        )
    return pin


def has_crate(packages: list[dict[str, str | None]], name: str = CRATE) -> bool:
    """Tell whether a crate is one of the packages that a program is built from."""
    return any(package["name"] == name for package in packages)
