"""`collect npm` through a real npm client: what it takes, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from leanspec_launcher.commands import CommandError
from scripts.collect import npm
from scripts.model.programs import load_programs
from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.preconditions import needs
from tests.support.registry import Registry, package, serving
from tests.support.releases import Scripts
from tests.support.versions import REAL

pytestmark = needs("npm")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with serving(tmp_path / "npm") as registry:
        yield registry


@pytest.fixture
def collect(scripts: Scripts, registry: Registry, tmp_path: Path) -> Scripts:
    """Return `collect npm 1.2.3` into a folder that already holds something."""
    (tmp_path / "into/cli/binaries/linux-x64").mkdir(parents=True)
    (tmp_path / "into/cli/binaries/linux-x64/old").write_text("old")

    def collect(
        *arguments: str, code: int = 0, version: str = "1.2.3", **env: str
    ) -> CompletedProcess[str]:
        environment = clean_environment(**(registry.settings() | env))
        command = ("collect", "npm", version, "--into", tmp_path / "into")
        return scripts(*command, *arguments, code=code, env=environment)

    return collect


def publish(
    registry: Registry, program: str, platform: str, data: bytes, name: str | None = None
) -> None:
    npm = f"@leanspec/{program}-{platform}"
    registry.publish(
        npm, "1.2.3", package(npm, "1.2.3", {name or PROGRAMS[program].command: data})
    )


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_collect_npm_records_package_and_integrity(
    collect: Scripts, registry: Registry, tmp_path: Path
) -> None:
    publish(registry, "mcp", "linux-x64", headers.elf())
    publish(registry, "mcp", "windows-arm64", headers.pe("aarch64"), "leanspec-mcp.exe")
    result = collect("--program", "mcp")
    into = tmp_path / "into"
    assert files(into) == [
        "mcp/binaries/linux-x64/binary.json",
        "mcp/binaries/linux-x64/leanspec-mcp",
        "mcp/binaries/windows-arm64/binary.json",
        "mcp/binaries/windows-arm64/leanspec-mcp.exe",
    ]
    assert "`@leanspec/mcp-darwin-arm64@1.2.3`" in result.stderr
    assert "darwin-arm64: the plan of the release gives no reason" in result.stderr
    program = into / "mcp/binaries/linux-x64/leanspec-mcp"
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    record = json.loads(program.with_name("binary.json").read_text("utf-8"))
    assert record["version"] == "1.2.3"
    assert record["size"] == len(headers.elf())
    assert record["commit"] == "c0ffee"
    assert record["source"]["package"] == "@leanspec/mcp-linux-x64"
    assert record["source"]["integrity"].startswith("sha512-")


def test_collect_npm_shows_the_reasons_of_the_plan(
    collect: Scripts, registry: Registry, version: str
) -> None:
    name = f"@leanspec/cli-{REAL[0]}"
    program = {PROGRAMS["cli"].command: headers.elf()}
    registry.publish(name, version, package(name, version, program))
    result = collect("--program", "cli", version=version)
    assert f"darwin-arm64: npm has no binaries of {version} for it\n" in result.stderr
    assert set(registry.asked) == {name, f"-/{name}/{version}.tgz"}


def test_collect_npm_asks_for_what_the_plan_calls_missing_if_told_to(
    collect: Scripts, registry: Registry, version: str
) -> None:
    """Npm may have it by now."""
    other = next(key for key in PLATFORMS if key not in REAL)
    name = f"@leanspec/cli-{REAL[0]}"
    registry.publish(
        name, version, package(name, version, {PROGRAMS["cli"].command: headers.elf()})
    )
    collect("--program", "cli", "--all", version=version)
    assert f"@leanspec/cli-{other}" in registry.asked


def test_collect_npm_does_not_take_a_staged_version_for_a_missing_one(
    collect: Scripts, registry: Registry, tmp_path: Path
) -> None:
    """A maintainer has to approve it first (npm's staged publishing)."""
    publish(registry, "cli", "linux-x64", headers.elf())
    item = {"id": "1de6f3db-2ed9-4d72-b3dd-8f0e2b474a2f", "version": "1.2.3"}
    registry.staged = [
        item | {"packageName": "@leanspec/cli-linux-arm64"},
        item | {"packageName": "@leanspec/cli-darwin-x64", "version": "1.2.4"},
    ]
    result = collect("--program", "cli", code=1)
    staged = (
        "staged on the registry, and not published yet: `@leanspec/cli-linux-arm64@1.2.3`"
    )
    assert f"error: {staged}\nhint: " in result.stderr
    assert f"`npm stage approve {item['id']}`" in result.stderr
    assert files(tmp_path / "into") == ["cli/binaries/linux-x64/old"]


def test_collect_npm_with_keep_keeps_other_binaries(
    collect: Scripts, registry: Registry, tmp_path: Path
) -> None:
    publish(registry, "cli", "linux-x64", headers.elf())
    publish(registry, "mcp", "linux-x64", headers.elf(needed=["libm.so.6", "libc.so.6"]))
    linux = ("--platform", "linux-x64")
    collect("--program", "cli", *linux)
    collect("--program", "mcp", *linux, "--keep")
    assert {file.split("/")[0] for file in files(tmp_path / "into")} == {"cli", "mcp"}


@pytest.mark.system
def test_collect_npm_on_a_full_disk_keeps_the_collected_binaries(
    scripts: Scripts, registry: Registry, small_disk: Path
) -> None:
    publish(registry, "cli", "linux-x64", headers.elf() + os.urandom(3_000_000))
    command = ["collect", "npm", "1.2.3", "--program", "cli", "--platform", "linux-x64"]
    environment = clean_environment(**registry.settings())
    result = scripts(*command, "--into", small_disk, code=1, env=environment)
    assert "o space left on device" in result.stderr
    assert not list(small_disk.iterdir())


def wrong_integrity(registry: Registry) -> None:
    publish(registry, "cli", "linux-x64", headers.elf())
    registry.integrity = "sha512-" + "A" * 86 + "=="


def weak_integrity(registry: Registry) -> None:
    publish(registry, "cli", "linux-x64", headers.elf())
    registry.integrity = "sha1-" + "A" * 27 + "="


def no_integrity(registry: Registry) -> None:
    publish(registry, "cli", "linux-x64", headers.elf())
    registry.no_integrity = True


def other_bytes(registry: Registry) -> None:
    publish(registry, "cli", "linux-x64", headers.elf())
    registry.other_bytes = True


def broken(registry: Registry) -> None:
    publish(registry, "cli", "linux-x64", headers.elf())
    registry.status = 500


def other_cpu(registry: Registry) -> None:
    publish(
        registry,
        "cli",
        "linux-x64",
        headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1"),
    )


def program(data: bytes) -> Callable[[Registry], None]:
    return lambda registry: publish(registry, "cli", "linux-x64", data)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (
            lambda _: None,
            ["the registry has no `@leanspec/cli-linux-x64@1.2.3`", "collect cargo"],
        ),
        (
            wrong_integrity,
            ["is not the one that the registry describes", "expected `sha512-AAAA"],
        ),
        (no_integrity, ["states no sha512 integrity"]),
        (weak_integrity, ["states no sha512 integrity"]),
        (other_bytes, ["EINTEGRITY"]),
        (broken, ["npm could not ask its registry", "npm ping"]),
        (other_cpu, ["is an executable for linux-arm64, not for `linux-x64`"]),
        (program(b""), ["is empty, not an executable for `linux-x64`"]),
    ],
)
def test_collect_npm_refuses_a_bad_package_and_changes_nothing(
    collect: Scripts,
    registry: Registry,
    tmp_path: Path,
    prepare: Callable[[Registry], None],
    words: list[str],
) -> None:
    prepare(registry)
    result = collect("--program", "cli", "--platform", "linux-x64", code=1)
    assert result.stderr.count("error: ") == 1
    for word in words:
        assert word in result.stderr
    assert "/npm/" not in result.stderr, "a folder that is gone by now"
    assert files(tmp_path / "into") == ["cli/binaries/linux-x64/old"]


def test_collect_npm_names_a_registry_that_does_not_answer(
    collect: Scripts, registry: Registry
) -> None:
    one = ("--program", "cli", "--platform", "linux-x64")
    result = collect(*one, code=1, npm_config_registry="http://127.0.0.1:9/")
    assert "ECONNREFUSED" in result.stderr
    assert "hint: check the registry" in result.stderr
    assert registry.packages == {}


def test_collect_npm_names_a_missing_npm(collect: Scripts) -> None:
    result = collect(code=1, PATH=os.devnull)
    assert "error: `npm` is not installed" in result.stderr
    assert "hint: " in result.stderr


@pytest.mark.posix
def test_collect_npm_asks_for_every_program_and_platform(
    collect: Scripts, tmp_path: Path
) -> None:
    npm = tmp_path / "bin/npm"
    npm.parent.mkdir()
    npm.write_text('#!/bin/sh\necho \'{"error": {"code": "E404"}}\'; exit 1\n')
    npm.chmod(0o755)
    result = collect(code=1, PATH=f"{npm.parent}:/usr/bin:/bin")
    for program in PROGRAMS:
        for platform in PLATFORMS:
            assert f"`@leanspec/{program}-{platform}@1.2.3`" in result.stderr


@pytest.mark.parametrize("version", ["latest", "^1.2.0", "1.x"])
def test_collect_npm_refuses_a_range_before_it_asks(collect: Scripts, version: str) -> None:
    result = collect("--program", "cli", "--platform", "linux-x64", code=2, version=version)
    assert f"invalid value for `VERSION`: invalid version: `{version}`" in result.stderr
    assert "asking" not in result.stderr


@pytest.mark.parametrize(
    "arguments", [["--platform", "linux-mips"], ["--program", "gui"], ["--nonsense"]]
)
def test_collect_npm_exits_with_2_for_wrong_usage(
    collect: Scripts, arguments: list[str]
) -> None:
    result = collect(*arguments, code=2)
    assert result.stderr.startswith("error: ")
    assert "hint: `python3 -m scripts collect npm --help`" in result.stderr


def test_npm_pack_runs_no_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Today npm runs none for a package of a registry; it is told all the same."""
    commands: list[list[str]] = []

    def capture(command: list[str]) -> CompletedProcess[str]:
        commands.append(command)
        return CompletedProcess(command, 0, "{}", "")

    monkeypatch.setattr(npm, "capture", capture)
    project, platform = load_programs()[0], PLATFORMS["linux-x64"]
    package = npm.Package(project, platform, "x", "1.2.3", "sha512-x", None)
    with pytest.raises(CommandError, match="npm left 0 files"):
        npm._fetch("npm", tmp_path, package)  # noqa: SLF001 - the one place that fetches
    assert commands[0][:3] == ["npm", "pack", "x@1.2.3"]
    assert "--ignore-scripts" in commands[0]


@pytest.mark.posix
@pytest.mark.parametrize(
    ("output", "errors", "code", "words"),
    [
        ("<html>", "", 0, "npm's answer about `a` is not JSON: '<html>'"),
        ("", "", 3, "could not ask its registry for `a`: exit code 3"),
        ("", "first\nsecond", 1, "could not ask its registry for `a`: first"),
        ('{"error": {"code": "E500", "summary": "busy"}}', "", 1, "for `a`: E500 busy"),
        ('{"error": "text"}', "because", 1, "for `a`: because"),
        ("[1]", "because", 1, "for `a`: because"),
    ],
)
def test_any_answer_of_npm_is_one_message(
    output: str, errors: str, code: int, words: str, tmp_path: Path
) -> None:
    program = tmp_path / "npm"
    program.write_text(
        f"#!/bin/sh\nprintf %s '{output}'; printf %s '{errors}' >&2; exit {code}\n"
    )
    program.chmod(0o755)
    with pytest.raises(CommandError, match=re.escape(words)) as error:
        npm._ask(str(program), [], "a")  # noqa: SLF001 - what npm itself never says
    assert "\n" not in error.value.message
