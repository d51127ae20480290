"""A small project for the backend, which a test may spoil."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

# That of the sample, whatever the version of this tree.
VERSION = "1.2.3"


STATED = f'version = "{VERSION}"'


@dataclass(frozen=True)
class Sample:
    """A copy of a program's project."""

    root: Path

    @property
    def manifest(self) -> Path:
        return self.root / "pyproject.toml"

    def edit(self, old: str, new: str) -> None:
        """Replace a text of `pyproject.toml` that is there."""
        text = self.manifest.read_text("utf-8")
        assert old in text
        self.manifest.write_text(text.replace(old, new), "utf-8")

    def collect(
        self,
        data: bytes,
        folder: str = "linux-x64",
        name: str = "leanspec",
        said: dict[str, object] | None = None,
    ) -> Path:
        """Put an executable where `collect` would, with a true `binary.json` but for what is `said`."""
        path = self.root / "binaries" / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        facts: dict[str, object] = {
            "platform": folder,
            "version": VERSION,
            "size": len(data),
        }
        facts |= {"sha256": hashlib.sha256(data).hexdigest()}
        path.with_name("binary.json").write_text(
            json.dumps(facts | (said or {}), indent=2), "utf-8"
        )
        return path
