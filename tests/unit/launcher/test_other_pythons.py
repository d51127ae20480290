"""Pythons that lack some of CPython's calls, and programs that ask where ours are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tools.processes import clean_environment
from tests.support.preconditions import require
from tests.support.site import HOST, Site, compiled, needing, script
from tests.support.surroundings import run

pytestmark = pytest.mark.posix
# What PyPy's `os` does not have.
LACKING = "import os; [delattr(os, name) for name in ('POSIX_SPAWN_DUP2', 'ST_NOEXEC') if hasattr(os, name)]"


def test_start_works_without_calls_that_python_lacks(site: Site) -> None:
    site.install("cli", compiled())
    run([sys.executable, "-c", site.call("cli", before=LACKING)], site.env, code=7)
    verify = site.call("main", ".manage", LACKING)
    run([sys.executable, "-c", verify, "verify", "cli"], site.env)


def test_missing_library_is_named_without_posix_spawn(site: Site) -> None:
    """Through a fork, in the place of `posix_spawn`."""
    site.install("cli", needing("libgone.so"))
    command = [sys.executable, "-c", site.call("cli", before=LACKING)]
    errors = run(command, site.env, code=126).stderr
    assert "it needs `libgone.so`, which this system lacks" in errors


@pytest.mark.slow
@pytest.mark.system
def test_start_works_in_pypy(dist: Path, tmp_path: Path) -> None:
    require("pypy3")
    env = clean_environment(HOME=str(tmp_path))
    run(["pypy3", "-m", "venv", tmp_path / "venv"], env)
    programs = tmp_path / "venv/bin"
    run([programs / "pip", "install", "--quiet", "--find-links", dist, "lean-spec"], env)
    for line in (
        "lean-spec --version",
        "leanspec-mcp --version",
        "leanspec-launcher verify",
    ):
        name, argument = line.split()
        run([programs / name, argument], env)


FIND = "from leanspec_launcher.find import find_leanspec_bin as find; print(find({!r}))"


def find(site: Site, program: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(site.root)!r}); {FIND.format(program)}"
    return run([sys.executable, "-c", program], site.env, code=code, traceback=bool(code))


def test_find_leanspec_bin_returns_the_verified_binary(site: Site) -> None:
    path = site.install("cli", script())
    assert find(site, "cli").stdout == f"{path}\n"
    words = "FileNotFoundError: no `leanspec-mcp` is installed"
    assert words in find(site, "mcp", 1).stderr
    words = "ValueError: unknown program `ui`: choose one of cli, mcp, http"
    assert words in find(site, "ui", 1).stderr
    path.write_bytes(script("echo other"))
    words = f"FileNotFoundError: refusing to run `{path}`: its SHA-256"
    assert words in find(site, "cli", 1).stderr


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("manylinux_2_5", "fits, but the installer did not choose it"),
        ("manylinux_2_99", "needs glibc 2.99 or newer"),
        ("musllinux_1_1", "needs musl 1.1 or newer"),
    ],
)
def test_installed_stub_despite_a_fitting_build_gets_a_hint(
    site: Site, tag: str, words: str
) -> None:
    """An old pip does not know the tag, or a mirror has no such wheel: then no newer system helps."""
    site.pin("cli", script())
    stub = site.root / "leanspec_cli_bin/stub.json"
    stub.parent.mkdir()
    cpu = "x86_64" if HOST.key.endswith("x64") else "aarch64"
    stub.write_text(f'{{"builds": {{"{HOST.key}": ["{tag}_{cpu}"]}}}}')
    result = site.start("cli", code=127)
    if sys.platform != "linux":
        return
    assert words in result.stderr
    hint = result.stderr.splitlines()[-1]
    expected = "fits" in words
    assert ("if that changes nothing, your index lacks the build" in hint) is expected
    assert ("use a newer system" in hint) is ("needs" in words)
