"""One fact, one home: what several parts say must agree."""

from __future__ import annotations

import ast
import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from leanspec_build.formats.executable import parse_executable
from leanspec_build.project.keys import REPAIRS
from leanspec_build.tags.platforms import host_platform_key, platform_key

from leanspec_launcher._release import Wheel
from leanspec_launcher._search import local_path
from leanspec_launcher._tables import PLATFORMS, PROGRAMS, current
from leanspec_launcher.commands import ISSUES
from leanspec_launcher.verify.proof import digest
from scripts import options
from scripts.collect.cargo import BUILDERS, read_target
from scripts.collect.pages import PROJECT as PAGES
from scripts.environment import ROOT
from scripts.gates.commit import MAGICS
from scripts.model.plan import read_plan
from scripts.model.programs import load_programs, main_project
from scripts.model.version_places import LINE, read_floors
from scripts.publish.matrix import RUNNERS
from scripts.wheels.pins import WheelPins, render_pins
from tests.support import headers
from tests.support.modules import literals
from tests.support.versions import OURS

HOT = {
    "leanspec_launcher",
    "leanspec_launcher._pins",
    "leanspec_launcher._search",
    "leanspec_launcher._tables",
}
FORMATS: dict[str, Callable[[str], bytes]] = {
    "darwin": headers.mach_o,
    "linux": headers.elf,
    "windows": headers.pe,
}


@pytest.mark.parametrize("key", PLATFORMS)
def test_launcher_and_backend_name_platforms_alike(key: str) -> None:
    system = key.partition("-")[0]
    # Rust's name of a RISC-V has its extensions.
    cpu = PLATFORMS[key].target.partition("-")[0].replace("riscv64gc", "riscv64")
    assert platform_key(parse_executable(FORMATS[system](cpu), key)) == key


def test_launcher_and_backend_agree_on_this_machine() -> None:
    platform = current()
    assert platform is not None
    assert platform.key == host_platform_key()


def test_every_program_has_its_project_and_its_distribution() -> None:
    assert {project.name for project in load_programs()} == set(PROGRAMS)
    main = main_project()
    required = [
        *main["dependencies"],
        *itertools.chain(*main["optional-dependencies"].values()),
    ]
    pages = tomllib.loads((PAGES / "pyproject.toml").read_text("utf-8"))["project"]
    # The extra brings the pages, and these bring the server.
    required.remove(f"{pages['name']}=={OURS}")
    required += [line for line in pages["dependencies"] if line != f"lean-spec=={OURS}"]
    own = [line for line in required if line.startswith("leanspec-")]
    assert sorted(own) == sorted(
        f"{program.distribution}=={OURS}" for program in PROGRAMS.values()
    )
    assert pages["scripts"] == {"leanspec-ui": main["scripts"]["leanspec-ui"]}
    for program in PROGRAMS.values():
        extras = main["optional-dependencies"]
        home = extras[program.extra] if program.extra else main["dependencies"]
        if f"{pages['name']}=={OURS}" in home:
            home = pages["dependencies"]
        assert f"{program.distribution}=={OURS}" in home
        assert main["scripts"][program.command] == f"leanspec_launcher:{program.name}"


def test_options_offer_every_builder_and_every_repair() -> None:
    assert tuple(options.BUILDERS.choices) == BUILDERS
    assert tuple(options.REPAIRS.choices) == REPAIRS


def test_configured_builders_are_for_known_platforms() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "leanspec-collect"
    ]["builders"]
    assert {read_target(triple).builder for triple in table} <= set(BUILDERS)
    assert read_target("x86_64-unknown-linux-gnu").builder == "build"
    assert read_target("x86_64-unknown-linux-gnu.2.17").builder == "zigbuild"


def test_promised_floors_are_those_of_the_plan_in_every_project() -> None:
    floors = read_floors()
    assert set(floors) <= set(PLATFORMS)
    for project in load_programs():
        table = tomllib.loads((project.root / "pyproject.toml").read_text("utf-8"))
        assert table["tool"]["leanspec-build"]["floors"] == floors


def test_the_readme_lists_the_platforms_of_the_plan() -> None:
    (line,) = LINE.findall((ROOT / "README.md").read_text("utf-8"))
    labels = set()
    for system in re.split(r", (?=\w+ on )", line.partition(":** ")[2].rstrip(".")):
        name, _, cpus = system.partition(" (")[0].partition(" on ")
        labels |= {f"{name} on {cpu}" for cpu in re.split(", | and ", cpus)}
    assert labels == {PLATFORMS[key].label for key in read_plan().platforms}


def test_the_backend_has_the_version_too() -> None:
    table = tomllib.loads((ROOT / "build_backend/pyproject.toml").read_text("utf-8"))
    assert table["project"]["version"] == OURS


@pytest.mark.parametrize("program", [*PROGRAMS, "../build_backend"])
def test_every_distribution_carries_the_licence(program: str) -> None:
    actual = (ROOT / "platform_wheels" / program / "LICENSE").read_bytes()
    assert actual == (ROOT / "LICENSE").read_bytes()


@pytest.mark.posix
def test_a_launch_loads_our_own_hot_modules_and_nothing_else(
    pythons: dict[str, Path], tmp_path: Path
) -> None:
    """A whole launch, of a binary that a stamp knows."""
    platform = current()
    assert platform
    assert pythons
    for python in pythons.values():
        folder = tmp_path / python.parent.parent.name
        file = Path(local_path(str(folder), PROGRAMS["cli"], platform))
        file.parent.mkdir(parents=True)
        file.symlink_to(python)  # a program that did not change just now
        record = {"sha256": digest(str(python))}
        file.with_name("binary.json").write_text(json.dumps(record))
        env = {"HOME": str(folder), "LEANSPEC_BINARIES_DIR": str(folder)}
        launch = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from leanspec_launcher import cli"
        subprocess.run(
            [python, "-I", "-c", f"{launch}; cli()", "-c", ""], env=env, check=True
        )
        # Every module of an interpreter before and after: `-I` keeps this machine's settings out.
        report = (
            "os.execv = lambda *_: print(*(set(sys.modules) - before)); sys.exit = None"
        )
        code = f"import os, sys; before = {{*sys.modules}}; {report}; {launch}; cli()"
        process = subprocess.run(
            [python, "-I", "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert set(process.stdout.split()) == HOT, python


def test_a_checkout_pins_what_an_empty_release_does() -> None:
    pins = ROOT / "leanspec_launcher/_pins.py"
    assert pins.read_text("utf-8") == render_pins("", {})


def test_pins_of_a_release_are_literals_as_the_formatter_writes_them() -> None:
    wheel = Wheel("leanspec_cli_bin-9.9.9-py3-none-any.whl", "2" * 64, 2_000_000)
    libraries = {"../../leanspec_cli_bin.libs/libssl.so.3": "1" * 64}
    own = WheelPins("0" * 64, libraries, wheel)
    pins = {"mcp": {"linux-x64": own}, "cli": {"linux-x64": own, "darwin-x64": own}}
    tools = {"markdown": {"list": f"{'4' * 64} status* tags"}, "ado": {}}
    keys = ("key", "next")
    text = render_pins(
        "9.9.9rc1", pins, "3" * 64, "https://{version}/", keys, tools, typescript="x@1.2.3"
    )
    values = literals(text)
    assert (values["VERSION"], values["BINARIES"]) == ("9.9.9rc1", "9.9.9-rc.1")
    assert values["SHA256"]["cli"] == {"darwin-x64": "0" * 64, "linux-x64": "0" * 64}
    assert values["LIBRARIES"] == {"0" * 64: libraries}
    assert values["WHEELS"]["mcp"] == {"linux-x64": tuple(wheel)}
    assert values["KEYS"] == ("key", "next")
    assert values["TOOLS"] == tools
    assert values["TYPESCRIPT"] == "x@1.2.3"
    name = ("--stdin-filename", "_pins.py", "-")
    formatter = [sys.executable, "-m", "ruff", "format", *name]
    formatted = subprocess.run(
        formatter, cwd=ROOT, input=text, capture_output=True, text=True, check=True
    )
    assert formatted.stdout == text


def test_every_platform_has_its_runner_named_by_version() -> None:
    assert set(RUNNERS) == set(PLATFORMS)
    assert not any("latest" in runner for runner in RUNNERS.values())


def imports(path: Path) -> set[str]:
    """Return the names of all modules that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))
    return names


def test_launcher_and_backend_never_import_each_other() -> None:
    for path in (ROOT / "leanspec_launcher").rglob("*.py"):
        assert not {
            name for name in imports(path) if name.startswith(("leanspec_build", "scripts"))
        }, path
    for path in (ROOT / "build_backend/leanspec_build").rglob("*.py"):
        assert not {
            name
            for name in imports(path)
            if name.startswith(("leanspec_launcher", "scripts"))
        }, path


def test_a_bug_is_reported_where_the_project_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["urls"]["Issues"] == ISSUES


def test_third_party_modules_of_the_launcher_stay_on_its_cold_side() -> None:
    modules = set((ROOT / "leanspec_launcher").glob("*.py"))
    # The ground of that side.
    cold = {
        ROOT / "leanspec_launcher" / f"{name}.py"
        for name in ("command_line", "commands", "folders")
    }
    for path in modules - cold:
        foreign = {name for name in imports(path) if not name.startswith(".")}
        actual = {name.split(".")[0] for name in foreign}
        assert actual <= set(sys.stdlib_module_names), path


def test_no_tracked_file_is_large_or_a_binary() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in tracked.split("\0"):
        path = ROOT / name
        if path.is_file():
            data = path.read_bytes()
            assert len(data) <= 1024 * 1024, name
            assert not data.startswith(MAGICS), name
