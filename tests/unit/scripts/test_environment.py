"""The development environment: made for what a command needs, kept, brought up to date."""

from __future__ import annotations

import inspect
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from scripts import environment, locked
from scripts.cli import root
from scripts.environment import ROOT, Group, needed_group
from scripts.tools.processes import clean_environment
from tests.support.preconditions import needs
from tests.support.surroundings import BASE_PYTHON, begin, programs, run
from tests.support.tree_copy import copy_tree, git


@pytest.mark.parametrize(
    ("line", "group"),
    [
        ("", Group.RELEASE),
        ("--help", Group.RELEASE),
        ("demo", Group.RELEASE),
        ("collect npm 1.2.3", Group.RELEASE),
        ("collect cargo rust", Group.DEV),
        ("check --bytes", Group.RELEASE),
        ("check", Group.DEV),
        ("publish --help", Group.RELEASE),
        ("publish -h", Group.RELEASE),
        ("publish --index x", Group.DEV),
        ("publish --index x --checked y", Group.RELEASE),
        ("verify-release 1.2.3 --index x", Group.RELEASE),
        ("verify-release 1.2.3 --index x --rebuild", Group.DEV),
        ("publish --index x --checked=y", Group.RELEASE),
        ("assets artifacts", Group.DEV),
        ("assets --assembled x", Group.SIGN),
        ("assets --sign --key x", Group.SIGN),
        ("assets --upload --provenance=x", Group.SIGN),
        ("assets --publish", Group.SIGN),
        ("attest", Group.RELEASE),
        ("publish-server", Group.RELEASE),
        ("test", Group.DEV),
        ("test -- --help", Group.DEV),
    ],
)
def test_a_command_line_needs_one_group(line: str, group: Group) -> None:
    assert needed_group(line.split()) is group


def test_every_command_has_a_group() -> None:
    names = {name.partition(" ")[0] for name in environment.GROUPS}
    assert names == set(root.commands)
    assert set(environment.CHECK_FIRST) <= names


def test_a_command_that_may_refuse_starts_small_and_extends_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts: list[list[str]] = []

    def become(command: list[str]) -> NoReturn:
        starts.append(command)
        raise SystemExit

    line = ["check", "--json"]
    monkeypatch.setenv(environment.EXTENDING, "")
    monkeypatch.delenv(environment.EXTENDING)
    monkeypatch.setattr(sys, "argv", ["scripts", *line])
    monkeypatch.setattr(environment, "_runs_inside", lambda: True)
    monkeypatch.setattr(environment, "_become", become)
    monkeypatch.setattr(environment, "_serves", lambda group: group is Group.RELEASE)
    assert environment.is_active(line)
    with pytest.raises(SystemExit):
        environment.extend()
    assert [command[1:] for command in starts] == [["-m", "scripts", *line]]
    assert environment.first_group(line) is Group.DEV, "the process that it starts"
    monkeypatch.setattr(environment, "_serves", lambda _: True)
    environment.extend()


def extends(function: Callable[..., object]) -> bool:
    """Tell whether a function, or another one of its module that it names, extends the environment."""
    module, names = inspect.getmodule(function), inspect.unwrap(function).__code__.co_names
    others = (getattr(module, name, None) for name in names)
    same_module = (
        other
        for other in others
        if inspect.isfunction(other) and inspect.getmodule(other) is module
    )
    return environment.extend.__name__ in names or any(map(extends, same_module))


@pytest.mark.parametrize("name", environment.CHECK_FIRST)
def test_a_command_that_starts_small_extends_the_environment(name: str) -> None:
    callback = root.commands[name].callback
    assert callback is not None
    assert extends(inspect.unwrap(callback))


@pytest.mark.long
def test_commands_of_the_release_group_import_nothing_that_it_lacks() -> None:
    larger = (
        *("minisign", "pefile", "validate_pyproject", "trove_classifiers", "yaml"),
        *("auditwheel", "elftools"),
    )
    hide = "".join(f"sys.modules[{name!r}] = None;" for name in larger)
    modules = (
        *("dev.demo", "wheels.build", "gates.same_bytes", "collect.npm", "collect.pages"),
        *("publish.bump", "publish.matrix", "index.client", "index.attestations"),
        "publish.verify",
    )
    code = f"import sys;{hide}" + "".join(f"import scripts.{name};" for name in modules)
    run([sys.executable, "-c", code], clean_environment(), cwd=ROOT)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a fresh copy of the project."""
    copy_tree(tmp_path / "tree")
    return tmp_path / "tree"


def command(
    tree: Path, *arguments: str | Path, code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    program = [BASE_PYTHON, "-m", "scripts", *arguments]
    return run(program, clean_environment(CI=""), cwd=tree, code=code)


def shorten(lock: Path, names: list[str]) -> None:
    """Leave some packages in a lock file, and the rest out."""
    lock.write_text("".join(locked.entry(lock, name) for name in names), "utf-8")


@pytest.mark.network
def test_a_first_command_makes_the_environment_that_later_ones_reuse(tree: Path) -> None:
    # The whole of dev.lock is installed where these tests run.
    small = [
        match["name"] for match in locked.ENTRY.finditer(Group.RELEASE.lock.read_text())
    ]
    shorten(tree / "dev.lock", [*small, "pytest", "pluggy", "iniconfig", "ruff"])
    result = command(tree, "inspect", BASE_PYTHON, "--json")
    assert '"platform_tags"' in result.stdout
    assert result.stderr.startswith("making the development environment in .venv")
    python = programs(tree / ".venv") / "python"
    code = "import importlib.util as i, rich, leanspec_build; print(i.find_spec('pytest'))"
    assert run([python, "-c", code], clean_environment()).stdout == "None\n"
    assert command(tree, "inspect", BASE_PYTHON, "--json").stderr == ""
    # A new version changes the metadata of our own projects, and nothing that is locked.
    for manifest in (tree / "pyproject.toml", tree / "build_backend/pyproject.toml"):
        text = manifest.read_text("utf-8")
        manifest.write_text(
            re.sub(r'(?m)^version = ".*"', 'version = "9.9.9"', text, count=1)
        )
    result = command(tree, "inspect", BASE_PYTHON, "--json")
    assert result.stderr.startswith("updating the development environment")
    assert "packages from" not in result.stderr
    # What else a command needs is added, once nothing speaks against it.
    assert "packages from" not in command(tree, "check", code=1).stderr
    (tree / "dist").mkdir()
    result = command(tree, "check", code=1)
    assert f"installing {len(small) + 4} packages from dev.lock" in result.stderr
    assert "packages from" not in command(tree, "test", "--", "--version").stderr
    version = "import importlib.metadata as m; print(m.version('leanspec-build'), m.version('ruff'))"
    assert run([python, "-c", version], clean_environment()).stdout.startswith("9.9.9 ")


# Whatever can be known before a large environment is made, and how it is said.
REFUSED = {
    "check --dist nowhere": "there is no folder `nowhere`",
    "publish --index testpypi --dry-run --dist nowhere": "there is no folder `nowhere`",
    "verify-release nonsense --index testpypi --rebuild": "invalid value for `VERSION`",
    "rehearse --only nonsense": "invalid value for `--only`: no step contains `nonsense`",
    "pre-release": "no Cargo workspace to build from is given",
    "rehearse --faults": "no such option",
}


@pytest.mark.network
def test_a_job_that_publishes_needs_no_more_than_its_group(tree: Path) -> None:
    """It holds a token: what it does not need is not installed next to it."""
    (tree / "dist").mkdir()
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "Release")
    publish = ["publish", "--index", "http://127.0.0.1:9/", "--checked", "0" * 64]
    result = command(tree, *publish, "--allow-local", code=1)
    assert "packages from release.lock" in result.stderr
    assert "checked: the files: expected 000" in result.stderr
    for line, words in REFUSED.items():
        result = command(tree, *line.split(), code=None)
        assert "packages from" not in result.stderr, line
        assert f"error: {words}" in result.stderr
    python = programs(tree / ".venv") / "python"
    modules = ("index.served", "index.upload", "index.attestations", "publish.registry")
    code = "import importlib.util as i, pypi_attestations; "
    code += "".join(f"import scripts.{name}; " for name in modules)
    code += "print([i.find_spec(name) for name in ('pytest', 'mypy', 'devpi_server')])"
    output = run([python, "-c", code], clean_environment(), cwd=tree).stdout
    assert output == "[None, None, None]\n"


@pytest.mark.network
def test_a_job_that_signs_needs_no_more_than_its_group(tree: Path) -> None:
    """It holds the signing key: nothing is built, and no program of the release can be started."""
    result = command(tree, "assets", "--assembled", "0" * 64, code=1)
    assert "packages from sign.lock" in result.stderr
    assert "error: nothing is assembled in" in result.stderr
    python = programs(tree / ".venv") / "python"
    modules = ("assembled", "signing", "upload")
    code = "import sys, importlib.util as i; "
    code += "".join(f"import scripts.github.{name}; " for name in modules)
    code += (
        "print([i.find_spec(name) for name in ('leanspec_build', 'requests', 'pytest')], "
    )
    code += "[name for name in sys.modules if name.endswith('.reported')])"
    output = run([python, "-c", code], clean_environment(), cwd=tree).stdout
    assert output == "[None, None, None] []\n"
    # A manifest that changes does not empty it.
    with (tree / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    result = command(tree, "assets", "--assembled", "0" * 64, code=1)
    assert "error: nothing is assembled in" in result.stderr
    assert "packages from" not in result.stderr


@pytest.mark.long
@needs("POSIX")
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_while_the_environment_is_made_ends_with_130(
    tree: Path, presses: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        env = clean_environment(PIP_INDEX_URL=index, PIP_CONFIG_FILE=os.devnull)
        demo = (BASE_PYTHON, "-m", "scripts", "demo")
        process = begin(demo, env, cwd=tree, process_group=0)
        with silent.accept()[0]:
            for _ in range(presses):
                os.kill(-process.pid, signal.SIGINT)
                time.sleep(0.05)
            error = process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert error.endswith("\nerror: interrupted\n")
    assert "Traceback" not in error
    # What is half made is not used.
    assert "state unfinished" in (tree / ".venv" / environment.MARKER.name).read_text()


@pytest.mark.parametrize(
    ("word", "message"),
    [("tset", "no such command `tset`"), ("--hlep", "no such option `--hlep`")],
)
def test_a_mistyped_command_makes_no_environment(
    tree: Path, word: str, message: str
) -> None:
    result = command(tree, word, code=2)
    assert result.stderr.startswith(f"error: {message}\nhint: the commands are ")
    assert not (tree / ".venv").exists()


def test_a_foreign_venv_is_left_alone(tree: Path) -> None:
    (tree / ".venv").mkdir()
    (tree / ".venv/mine").touch()
    result = command(tree, "demo", code=1)
    assert result.stderr.startswith(
        f"error: `{tree / '.venv'}` exists but was not made by this"
    )
    assert "hint: remove it or move it away" in result.stderr
    assert (tree / ".venv/mine").exists()


@pytest.mark.long
@needs("POSIX")
def test_pip_installs_if_uv_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A company's index may be in pip's configuration alone."""
    failing = tmp_path / "uv"
    failing.write_text("#!/bin/sh\necho no such index >&2\nexit 2\n")
    failing.chmod(0o755)
    venv = locked.Environment(tmp_path / "venv", uv=failing)
    venv.create()
    lock = tmp_path / "empty.lock"
    lock.write_text("")
    venv.install(lock)
    assert "uv cannot install them; trying pip" in capsys.readouterr().err
    monkeypatch.setattr(locked.Environment, "_pip_command", lambda *_: [str(failing)])
    with pytest.raises(SystemExit):
        venv.install(lock)
    output = capsys.readouterr().err
    assert "no such index\nerror: the installation failed" in output
