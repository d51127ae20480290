"""A Windows CPython 3.12 under wine, in a tree of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pefile

from scripts.environment import ROOT, Group
from scripts.locked import entry
from scripts.tools.processes import clean_environment
from tests.support import debian
from tests.support.surroundings import run

if sys.platform != "linux":
    raise ImportError("wine runs on Linux")

MOUNT = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
# A wheel that carries a whole Windows CPython 3.12.
PARTS = "panda3d==1.10.16"
PATIENCE, SECONDS = 60, 120
FETCH = [
    *(sys.executable, "-m", "pip", "download", "--quiet"),
    *("--no-deps", "--only-binary=:all:", "--platform", "win_amd64"),
]


@dataclass(frozen=True)
class Windows:
    """A Debian with wine, in which `Z:` is its root, `python` the CPython, `probe.exe` our probe."""

    tree: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command that runs a Windows program of the tree."""
        namespace = ("unshare", "--mount", "--fork", "--pid")
        chroot = (*namespace, "sh", "-ec", MOUNT, str(self.tree))
        return [*chroot, "wine", f"Z:\\{program}", *arguments]

    def run(
        self,
        program: str,
        *arguments: str,
        data: bytes = b"",
        code: int | None = 0,
        seconds: int = SECONDS,
        **env: str,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a Windows program; fail with its words where its exit code is another one (None: any)."""
        done = None
        # Wine, started again for each run, hung at its start in one of sixty: a second hang is ours.
        for patience in (max(PATIENCE, seconds // 2), seconds):
            try:
                done = subprocess.run(
                    self.command(program, *arguments),
                    env=_environment(env),
                    input=data,
                    capture_output=True,
                    check=False,
                    timeout=patience,
                )
                break
            except subprocess.TimeoutExpired:
                continue
        assert done is not None, f"`{program}` did not end"
        assert code is None or done.returncode == code, (
            done.returncode,
            done.stdout[-2000:],
            done.stderr[-2000:],
        )
        return done

    def on_a_console(
        self, told: Path, program: str, *arguments: str, keys: bytes, **env: str
    ) -> str:
        """Run a program on a console, type keys when it has said `ready` in a file; return what it says there then."""
        told.unlink(missing_ok=True)
        process, terminal = pty.fork()
        if process == 0:
            command = self.command(program, *arguments)
            os.execvpe(command[0], command, _environment(env))  # noqa: S606 - the child of a fork
        said, until, typed = "", time.monotonic() + 60, 0.0
        while time.monotonic() < until and not (typed and said != "ready\n"):
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 4096)
            said = told.read_text() if told.exists() else ""
            if said and not typed:
                time.sleep(0.5)
                os.write(terminal, keys)
                typed = time.monotonic()
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)
        return said


def _environment(more: dict[str, str]) -> dict[str, str]:
    path = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        "PATH": path,
        "HOME": "/root",
        "WINEDEBUG": "-all",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        **more,
    }


def make(tree: Path, standard_library: Path) -> None:
    """Make the tree: wine, a compiler, CPython from the parts of a wheel, uv, and our probe."""
    debian.bootstrap(tree, "trixie", "wine", "wine64", "gcc-mingw-w64-x86-64")
    for name in ("python", "windows"):
        shutil.copy(ROOT / f"tests/support/{name}.c", tree / "tmp")
        compiler = ("x86_64-w64-mingw32-gcc", "-municode", "-O2", "-s")
        debian.inside(tree, *compiler, "-o", f"/tmp/{name}.exe", f"/tmp/{name}.c")  # noqa: S108 - the tree's own
    shutil.copy(tree / "tmp/windows.exe", tree / "probe.exe")
    _make_python(tree / "python", tree / "tmp", standard_library)
    uv = tree / "tmp/uv.txt"
    uv.write_text(entry(Group.DEV.lock, "uv"))
    fetch: Sequence[str | Path] = [*FETCH, "--dest", tree / "tmp"]
    run([*fetch, "--require-hashes", "--requirement", uv], clean_environment())
    with zipfile.ZipFile(next((tree / "tmp").glob("uv-*.whl"))) as archive:
        name = next(each for each in archive.namelist() if each.endswith("/uv.exe"))
        (tree / "python/uv.exe").write_bytes(archive.read(name))
    debian.inside(tree, "env", "WINEDEBUG=-all", "wineboot", "--init")


def _make_python(folder: Path, scratch: Path, standard_library: Path) -> None:
    """Put a Windows CPython 3.12 together: the DLL and modules of a wheel, a standard library of here, our own exe."""
    fetch: Sequence[str | Path] = [*FETCH, "--python-version", "3.12", "--dest", scratch]
    run([*fetch, PARTS], clean_environment())
    (folder / "DLLs").mkdir(parents=True)
    with zipfile.ZipFile(next(scratch.glob("panda3d-*.whl"))) as archive:
        for entry in archive.namelist():
            name = entry.rpartition("/")[2]
            # Wine has its own of the C runtime's sets.
            if entry.startswith("deploy_libs/") and not name.startswith("api-ms-win-crt"):
                (folder / ("DLLs" if name.endswith(".pyd") else "") / name).write_bytes(
                    archive.read(entry)
                )
                if name.endswith(".dll"):
                    shutil.copy(folder / name, folder / "DLLs")
    _make_stable_abi(folder)
    ignored = shutil.ignore_patterns(
        "test", "site-packages", "lib-dynload", "__pycache__", "idlelib", "config-*"
    )
    shutil.copytree(standard_library, folder / "Lib", ignore=ignored)
    (folder / "Lib/site-packages").mkdir()
    shutil.copy(scratch / "python.exe", folder)
    (folder / "python.exe").chmod(0o755)


def _make_stable_abi(folder: Path) -> None:
    """Make `python3.dll`, which modules for every CPython 3 link: it forwards to `python312.dll`."""
    with contextlib.closing(pefile.PE(str(folder / "python312.dll"))) as library:
        exports = [
            each.name.decode()
            for each in library.DIRECTORY_ENTRY_EXPORT.symbols
            if each.name
        ]
    lines = ["LIBRARY python3.dll", "EXPORTS"]
    lines += [f"    {name} = python312.{name}" for name in exports]
    (folder / "python3.def").write_text("\n".join([*lines, ""]))
    tree = folder.parent
    compiler = ("x86_64-w64-mingw32-gcc", "-shared", "-nostdlib", "-Wl,--entry=0")
    debian.inside(tree, *compiler, "-o", "/python/python3.dll", "/python/python3.def")
