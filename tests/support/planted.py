"""A folder of a stranger: a cloned repository with files that Python, pip, uv and npm would take for their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Programs that a relative entry of `PATH` would find.
PROGRAMS = (
    *("uv", "uvx", "pip", "pipx", "python3", "python"),
    *("node", "npx", "npm", "sh", "ldd"),
)


def plant(folder: Path, mark: Path, wheels: Path) -> None:
    """Fill a folder: whatever is run there adds its name to `mark`; `wheels` has foreign packages."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f"open({os.fspath(mark)!r}, 'a').write(__name__ + '\\n')\n"
    modules = {*sys.stdlib_module_names, "sitecustomize", "usercustomize", "click", "uv"}
    for name in modules - set(sys.builtin_module_names):
        (folder / f"{name}.py").write_text(text)
    for package in ("pip", "pipx", "leanspec_launcher"):
        (folder / package).mkdir()
        for module in ("__init__", "__main__"):
            (folder / package / f"{module}.py").write_text(text)
    for name in PROGRAMS:
        program = folder / name
        if not program.exists():
            program.write_text(f'#!/bin/sh\necho "{name}" >> "{mark}"\n')
            program.chmod(0o755)
    npm = folder / "node_modules/lean-spec"
    npm.mkdir(parents=True)
    (npm / "package.json").write_text('{"name": "lean-spec", "version": "0.2.9"}')
    (folder / ".npmrc").write_text(f"registry=http://127.0.0.1:1/\ncache={mark}\n")
    (folder / "package.json").write_text('{"name": "planted", "version": "1.0.0"}')
    settings = f'no-index = true\nfind-links = ["{wheels}"]\n'
    (folder / "uv.toml").write_text(settings)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "planted"\nversion = "1"\n[tool.uv]\n{settings}'
    )
    (folder / "setup.cfg").write_text(f"[install]\nprefix = {mark}\n")
    (folder / "pip.conf").write_text(f"[global]\nfind-links = {wheels}\n")
    (folder / ".python-version").write_text("2.7\n")
