"""Commands and hints for each installer in each situation, compared with those in `hints.json`.

A hint that changes on purpose is changed there too: a test that fails leaves the new file.
"""

from __future__ import annotations

import importlib.util
import json
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest

from leanspec_launcher import _release
from leanspec_launcher._tables import PROGRAMS, Program, current
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers import reinstall
from leanspec_launcher.installers.table import INSTALLERS, in_use
from leanspec_launcher.installers.words import shown
from leanspec_launcher.manage import link, missing, repair
from leanspec_launcher.manage.clients import server
from leanspec_launcher.manage.update import index
from leanspec_launcher.manage.update.installation import installation
from leanspec_launcher.web.place import UI
from tests.support.surroundings import run

pytestmark = pytest.mark.posix

HINTS = Path(__file__).with_name("hints.json")
VERSION, NEWER = "1.2.3", "2.0.0"
TOOLS = ("uv", "uvx", "pipx", "pip", "conda", "pdm", "poetry")
USER_PACKAGES = "home/.local/lib/site-packages"
DOWNLOAD = ("httpx", "cryptography", "filelock")
# One that `lean-spec` brings itself, one of an extra, and the pages, which are no program.
PARTS = (PROGRAMS["cli"], PROGRAMS["http"], UI)


@dataclass(frozen=True)
class Environment:
    """Traces that an installer leaves below a folder."""

    recorded: str
    prefix: str = "venv"
    packages: str = ""
    files: tuple[tuple[str, str], ...] = ()
    base: str = "usr"


PIPX_RECORD, RECEIPT = "pipx_metadata.json", "uv-receipt.toml"
PIPX = Environment(
    "pip", "pipx/venvs/lean-spec", files=((f"pipx/venvs/lean-spec/{PIPX_RECORD}", "{}"),)
)
UV_TOOL = Environment("uv", "tools/lean-spec", files=((f"tools/lean-spec/{RECEIPT}", ""),))
ENVIRONMENTS = {
    "pip": Environment("pip"),
    "pip --user": Environment("pip", "usr", USER_PACKAGES),
    "hatch": Environment("hatch"),
    "poetry": Environment("Poetry 2.1.3"),
    "pdm": Environment("pdm"),
    "conda": Environment("conda"),
    "system": Environment("debian", "usr"),
    "uv pip": Environment("uv"),
    "uv project": Environment("uv", "project/.venv", files=(("project/uv.lock", ""),)),
    "uv tool": UV_TOOL,
    "uvx": Environment("uv", "uv/archive-v0/x"),
    "pipx": PIPX,
    "pipx run": Environment(
        "pip", "pipx/.cache/0123", files=((f"pipx/.cache/0123/{PIPX_RECORD}", "{}"),)
    ),
    "pex": Environment("pex", "x", "pex/installed_wheels/3/ab/lean_spec.whl"),
    "pex as an environment": Environment("pex", "x", files=(("x/PEX-INFO", ""),)),
    "shiv": Environment("pip", "x", f".shiv/app.pyz_{'0' * 64}/site-packages"),
}
# Other contents of the record that an installer keeps of a tool.
RECORDS = {
    "uv tool": {
        "one version": '[{ name = "lean-spec", specifier = "==1.2.3" }]',
        "with others": '[{ name = "x" }, { name = "lean-spec", extras = ["dev"] }]',
        "from a repository": '[{ name = "x", git = "https://h/x" }, { name = "lean-spec" }]',
    },
    "pipx": {
        "one version": '{"main_package": {"package_or_url": "lean-spec==1.2.3"}}',
        "with a suffix": '{"main_package": {"suffix": "@1", "package_or_url": "lean-spec"}}',
    },
}


class InstallerStart(Exception):  # noqa: N818 - no error: it ends the function under test
    """The start of an installer."""


class Machine:
    """A machine with one environment, in which the launcher's own functions are called."""

    def __init__(
        self, root: Path, patch: pytest.MonkeyPatch, environment: Environment
    ) -> None:
        self.root, self.patch, self.environment = root, patch, environment
        self.prefix = root / environment.prefix
        packages = environment.packages or f"{environment.prefix}/lib/site-packages"
        self.packages = root / packages
        for name in TOOLS:
            self.write(f"bin/{name}", "").chmod(0o755)
        for name, text in environment.files:
            self.write(name, text)
        self.install("lean-spec", "leanspec-cli-bin")
        self.command = self.packages.parents[1] / "bin/leanspec-launcher"
        self.write(str(self.command.relative_to(root)), "")
        self.replace("SITE", str(self.packages))
        self.replace("VERSION", VERSION)
        self.replace("checkout_directory", lambda: "")
        patch.setattr(sys, "prefix", str(self.prefix))
        patch.setattr(sys, "base_prefix", str(root / environment.base))
        patch.setattr(sys, "executable", str(self.prefix / "bin/python"))
        patch.setattr(sys, "argv", [str(root / "app.pyz")])
        patch.setattr(sysconfig, "get_path", self.scheme_path)
        patch.setattr(site, "getusersitepackages", lambda: str(root / USER_PACKAGES))
        self.replace("output_of", self.start)
        patch.setenv("PATH", str(root / "bin"))
        self.set_pip(installed=True)
        platform = current()
        assert platform is not None
        wheels = {
            name: {platform.key: (f"{name}.whl", name[0] * 8, 1)} for name in PROGRAMS
        }
        patch.setattr(_release, "WHEELS", wheels)

    def write(self, name: str, text: str) -> Path:
        """Write a file of this machine."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def install(self, *names: str) -> None:
        """Record distributions as the installer does."""
        for name in names:
            info = self.packages / f"{name.replace('-', '_')}-{VERSION}.dist-info"
            info.mkdir(parents=True)
            (info / "INSTALLER").write_text(f"{self.environment.recorded}\n")
            commands = ("leanspec-mcp", "leanspec-launcher")
            (info / "RECORD").write_text(
                "".join(f"../../bin/{command},,\n" for command in commands)
            )
            (info / "entry_points.txt").write_text(
                "[console_scripts]\nleanspec-mcp = leanspec_launcher:mcp\n"
            )

    def replace(self, name: str, value: object) -> None:
        """Give a name of the launcher another value, in each module that imported it."""
        for key, module in list(sys.modules.items()):
            if key.startswith("leanspec_launcher") and hasattr(module, name):
                self.patch.setattr(module, name, value)

    def set_pip(self, *, installed: bool) -> None:
        """Decide whether this environment has a pip of its own."""
        spec = object() if installed else None
        self.patch.setattr(importlib.util, "find_spec", lambda _: spec)

    def scheme_path(self, name: str) -> str:
        """Return the interpreter's own folder of a kind."""
        return str(self.root / "stdlib" if name == "stdlib" else self.packages)

    def start(self, command: list[str], *, stdin: str = "", **_: object) -> NoReturn:
        """Take the place of `output_of`."""
        redirection = f" < {stdin}" if stdin else ""
        raise InstallerStart(shown([command]) + redirection)


def without_any_pip(machine: Machine) -> None:
    (machine.root / "bin/pip").unlink()
    specs = {"pip": None}
    machine.patch.setattr(importlib.util, "find_spec", lambda name: specs.get(name, name))


def without_pip_and_uv(machine: Machine) -> None:
    machine.set_pip(installed=False)
    without_uv(machine)


def with_hashes_required(machine: Machine) -> None:
    machine.patch.setenv("PIP_REQUIRE_HASHES", "1")
    machine.patch.setenv("UV_REQUIRE_HASHES", "true")


def in_a_folder(machine: Machine) -> None:
    other = str(machine.root / "stdlib")
    machine.patch.setattr(sysconfig, "get_path", lambda _: other)


def in_a_managed_python(machine: Machine) -> None:
    machine.write("stdlib/EXTERNALLY-MANAGED", "")
    machine.patch.setattr(sys, "base_prefix", str(machine.prefix))


def in_a_checkout(machine: Machine) -> None:
    machine.replace("VERSION", "")
    machine.replace("checkout_directory", lambda: "platform_wheels")


def without_uv(machine: Machine) -> None:
    for name in ("uv", "uvx"):
        (machine.root / "bin" / name).unlink()


def from_files(machine: Machine) -> None:
    for info in machine.packages.glob("*.dist-info"):
        origin = {"url": "file:///w/x.whl", "archive_info": {}}
        (info / "direct_url.json").write_text(json.dumps(origin))


CIRCUMSTANCES: dict[str, Callable[[Machine], object]] = {
    "without pip": lambda machine: machine.set_pip(installed=False),
    "without any pip": without_any_pip,
    "without uv": without_uv,
    "without pip and uv": without_pip_and_uv,
    "without our command": lambda machine: machine.command.unlink(),
    "with hashes required": with_hashes_required,
    "with all extras": lambda machine: machine.install(
        "leanspec-http-bin", "leanspec-ui", *DOWNLOAD
    ),
    "with download": lambda machine: machine.install(*DOWNLOAD),
    "with pages alone": lambda machine: machine.install("leanspec-ui"),
    "from files": from_files,
    "in a folder": in_a_folder,
    "in a managed python": in_a_managed_python,
    "from sources": lambda machine: machine.replace("VERSION", ""),
    "in a checkout": in_a_checkout,
    "for all users": lambda machine: machine.patch.setenv(
        "PIPX_GLOBAL_HOME", str(machine.prefix.parent.parent)
    ),
}


def by_hash(program: Program, place: str) -> str:
    """Return the commands, without the name of the file of requirements."""
    steps = reinstall.by_hash(program, place, "file")
    return shown([[word for word in step if word != "file"] for step in steps])


def situations_of(program: Program) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the questions about one program's wheel, and the calls that answer them."""
    check = repair.Check(program.name, "/x", good=False, reason="")
    yield "reinstall", lambda: shown(reinstall.commands(program))
    yield "hint", lambda: reinstall.hint(program)
    yield "by hash", lambda: by_hash(program, "")
    yield "by hash from a folder", lambda: by_hash(program, "/usb")
    yield "requirement", lambda: reinstall.requirement(program)
    if program is not UI:
        yield "repair", lambda: shown(repair.commands(check, ""))


def situations() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield all questions about an installer."""
    yield "installer", lambda: in_use().name
    for program in PARTS:
        for name, call in situations_of(program):
            yield f"{name}: {program.name}", call
    yield "add: download", lambda: reinstall.extra_hint("download")
    yield "add: ui", lambda: reinstall.extra_hint("ui")
    yield "newer pip", reinstall.pip_update
    yield "update", lambda: shown([installation().command(NEWER, is_newest=True)])
    yield (
        "update --version",
        lambda: shown([installation().command(NEWER, is_newest=False)]),
    )
    yield "undo an update", lambda: shown([installation().exact(VERSION)])
    yield "newest release", lambda: index.newest(installation(), None)
    yield "a release", lambda: index.newest(installation(), NEWER)
    yield "all of a release", lambda: index.complete(installation(), NEWER)
    yield "link", lambda: link.link_all(dry_run=True)
    yield "a missing command", restore_all
    yield "server", server.this_server


def restore_all() -> None:
    """Bring back the command that no machine here has, nor anything that says how it was."""
    for removed in missing.missing_commands():
        missing.restore(removed)


def answer(machine: Machine, call: Callable[[], object]) -> str:
    """Return a result, the error and its hint, or the program that would be started."""
    try:
        text = str(call())
    except CommandError as error:
        text = f"{error.message} | {error.hint}"
    except InstallerStart as start:
        text = str(start)
    return text.replace(str(machine.root), "")


def answer_in_full(call: Callable[[], object]) -> str:
    """Return a result, the hint of an error, or the program that would be started."""
    try:
        return str(call())
    except CommandError as error:
        return error.hint or ""
    except InstallerStart as start:
        return str(start)


def circumstances(
    installer: str,
) -> dict[str, tuple[Environment, Callable[[Machine], object]]]:
    """Return the environments of an installer, and what is changed in each before the questions."""
    plain = ENVIRONMENTS[installer]
    cases = {"": (plain, lambda _: None)} | {
        name: (plain, change) for name, change in CIRCUMSTANCES.items()
    }
    for name, text in RECORDS.get(installer, {}).items():
        ((path, _),) = plain.files
        content = f"requirements = {text}" if path.endswith(RECEIPT) else text
        cases[name] = replace(plain, files=((path, content),)), lambda _: None
    return cases


def hints(installer: str, folder: Path) -> dict[str, dict[str, str]]:
    """Return the answers for an installer, by circumstance; of each, those that it changes."""
    changed: dict[str, dict[str, str]] = {}
    plain: dict[str, str] = {}
    for circumstance, (environment, change) in circumstances(installer).items():
        with pytest.MonkeyPatch.context() as patch:
            machine = Machine(folder / circumstance.replace(" ", "-"), patch, environment)
            change(machine)
            answers = {name: answer(machine, call) for name, call in situations()}
        changed[circumstance] = {
            name: text for name, text in answers.items() if text != plain.get(name)
        }
        plain = plain or answers
    return changed


def rows(table: dict[str, dict[str, dict[str, str]]]) -> dict[tuple[str, str, str], str]:
    """Return every hint of a table, by installer, circumstance and situation."""
    return {
        (installer, circumstance, situation): text
        for installer, changed in table.items()
        for circumstance, answers in changed.items()
        for situation, text in answers.items()
    }


@pytest.mark.long
def test_hints_are_those_of_hints_json(tmp_path: Path) -> None:
    actual = {name: hints(name, tmp_path / name.replace(" ", "-")) for name in ENVIRONMENTS}
    new = tmp_path / HINTS.name
    new.write_text(json.dumps(actual, indent=1, ensure_ascii=False) + "\n", "utf-8")
    expected = rows(json.loads(HINTS.read_text("utf-8")))
    differences = set(rows(actual).items()) ^ set(expected.items())
    assert not differences, f"`{new}` has the hints of the code"
    names = {text for (*_, situation), text in expected.items() if situation == "installer"}
    correct = {row.name for row in INSTALLERS}
    assert names == correct, "every row of the table is in use once"


@pytest.mark.long
def test_a_hint_runs_no_command_of_a_folders_name(tmp_path: Path) -> None:
    """Each is typed into a shell; the installers are empty files."""
    texts: set[str] = set()
    for installer in ENVIRONMENTS:
        cases = circumstances(installer)
        for name in ("", "without pip", "in a folder", "from files", "from sources"):
            environment, change = cases[name]
            root = tmp_path / installer / name / "a'$(touch pwned)b"
            with pytest.MonkeyPatch.context() as patch:
                machine = Machine(root, patch, environment)
                change(machine)
                texts.update(answer_in_full(call) for _, call in situations())
    folder = tmp_path / "here"
    folder.mkdir()
    hostile = [text for text in texts if "pwned" in text]
    assert len(hostile) > 100
    script = folder / "typed.sh"
    for text in hostile:
        # A line that a shell does not take ends that shell alone.
        script.write_text(text)
        run(["/bin/sh", script], {"PATH": "/usr/bin"}, cwd=folder, code=None)
        assert [path.name for path in folder.iterdir()] == ["typed.sh"], text
