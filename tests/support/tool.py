"""A stranger's project of programs for the path, and what its build left."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from leanspec_build.__main__ import main

from tests.support.inside import call

MANIFEST = """\
[build-system]
requires = ["leanspec-build"]
build-backend = "leanspec_build"

[project]
name = "a-tool"
version = "1.2.3"

[tool.leanspec-build]
programs = ["tool"]
from = "dist"
"""


@dataclass(frozen=True)
class Tool:
    """A stranger's project, and what its build left."""

    root: Path

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    def edit(self, old: str, new: str) -> None:
        path = self.root / "pyproject.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def put(self, folder: str, **files: bytes) -> None:
        """Write programs into a folder; `tool_exe` is `tool.exe`."""
        (self.dist / folder).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (self.dist / folder / name.replace("_exe", ".exe")).write_bytes(data)

    def build(self, *arguments: str | Path, code: int = 0) -> CompletedProcess[str]:
        """Run `python -m leanspec_build`."""
        result = call(lambda: main([str(each) for each in arguments]), self.root)
        assert result.returncode == code, result.stdout + result.stderr
        return result

    def all(self) -> dict[str, dict[str, object]]:
        """Make all wheels; return the report on each, by its file name."""
        wheels = json.loads(self.build("all", "--out", "out", "--json").stdout)
        return {Path(wheel["wheel"]).name: wheel for wheel in wheels}
