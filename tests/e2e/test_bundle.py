"""`leanspec-launcher bundle`: what it makes installs where there is no network interface at all."""

from __future__ import annotations

import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support import installers
from tests.support.installers import WITH_PAGES, Installation, Pip, from_files
from tests.support.preconditions import require
from tests.support.surroundings import clean, once, run
from tests.support.wheel_files import REQUIRED, rewrite

pytestmark = pytest.mark.posix
PYTHON = "{}.{}".format(*sys.version_info[:2])
LINKS = "--no-index --find-links file://{bundle}/index.html"
# As the bundle's own page says it.
WAYS: dict[str, tuple[type[Installation], str]] = {
    "pip": (Pip, f"{LINKS} {WITH_PAGES}"),
    "uv tool": (installers.UvTool, f"{LINKS} {WITH_PAGES}"),
    "pipx": (installers.Pipx, f"--pip-args={{links}} {WITH_PAGES}"),
    "uv pip": (installers.UvPip, f"{LINKS} {WITH_PAGES}"),
}
OTHERS = ("lean_spec", *REQUIRED)


@pytest.fixture(scope="session")
def small(shared: Path, stand_in: Path, wheelhouse: Path) -> Installation:
    """Return an installation of small programs."""
    wheels = (stand_in / "dist", wheelhouse)

    def make(home: Path) -> None:
        installers.install_with_pip(home, *wheels)

    home = once(shared / "small-installation", make)
    return Pip(home, from_files(home, *wheels))


@pytest.fixture(scope="session")
def bundle(shared: Path, small: Installation) -> Path:
    """Return a bundle of small programs, made by an installation of them."""

    def make(folder: Path) -> None:
        place = folder / "a folder"
        output = small.start("leanspec-launcher", "bundle", place, "--json").stdout
        report = json.loads(output)
        assert report["extras"] == ["ui"], "what is installed"
        assert {path.name for path in place.iterdir()} == {*report["files"]}

    return once(shared / "bundle", make) / "a folder"


@pytest.fixture
def medium(bundle: Path, tmp_path: Path) -> Path:
    """Return a copy of the bundle on a machine whose network can be taken away."""
    require("root", "unshare")
    return Path(shutil.copytree(bundle, tmp_path / "medium"))


def install(way: str, medium: Path, *, code: int | None = 0) -> tuple[Installation, str]:
    """Install from a bundle in a network namespace with no interface that is up; return the output too."""
    kind, arguments = WAYS[way]
    home = medium.parent / "home"
    # Nothing of the tests' own settings: the commands are as the page says them.
    env = from_files(home)
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
        del env[name]
    installation = kind(home, env, prefix=("unshare", "--net"))
    links = LINKS.format(bundle=medium)
    words = [word.format(bundle=medium, links=links) for word in arguments.split()]
    result = installation.install(*words, code=code)
    return installation, result.stdout + result.stderr


@pytest.mark.system
@pytest.mark.parametrize("way", WAYS)
def test_a_bundle_installs_without_a_network(medium: Path, way: str, version: str) -> None:
    installation, _ = install(way, medium)
    installation.must_report(version)
    installation.start("leanspec-launcher", "verify", "http")
    report = installation.start("leanspec-launcher", "doctor", code=None)
    assert "everything works" in report.stdout


@pytest.mark.system
@pytest.mark.parametrize("way", WAYS)
def test_a_bundle_with_one_changed_byte_is_refused_by_name(medium: Path, way: str) -> None:
    (path,) = medium.glob("leanspec_cli_bin-*.whl")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    # Some look at the archive's own sums first.
    _, output = install(way, medium, code=1)
    assert "leanspec-cli-bin" in output.replace("_", "-")
    sums = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    output = run(sums, clean(medium.parent / "home"), cwd=medium, code=1).stdout
    assert output.startswith(f"{path.name}: FAILED")


@pytest.mark.system
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "wheel",
    ["leanspec_mcp_bin", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)],
)
def test_a_bundle_with_another_wheel_is_refused_by_its_hash(
    medium: Path, way: str, wheel: str
) -> None:
    (path,) = medium.glob(f"{wheel}-*.whl")
    rewrite(path, {"another.py": b""})
    installation, output = install(way, medium, code=None)
    assert wheel in output.replace("-", "_")
    assert "hash" in output.lower()
    assert not (installation.commands / "lean-spec").exists()


@pytest.mark.system
def test_repair_takes_a_binary_from_a_bundle(medium: Path) -> None:
    installation, _ = install("pip", medium)
    installation.binary().write_bytes(b"damaged")
    result = installation.start("leanspec-launcher", "repair", "--from", medium)
    assert "repaired: " in result.stdout
    installation.start("lean-spec", "--version")


def test_a_bundle_contains_complete_wheels_and_no_stub(bundle: Path) -> None:
    env = clean(bundle.parent / "home")
    run(["sha256sum", "--check", "--strict", "SHA256SUMS"], env, cwd=bundle)
    names = {path.name.split("-")[0] for path in bundle.glob("*.whl")}
    assert {"lean_spec", "leanspec_cli_bin", "leanspec_mcp_bin", *REQUIRED} <= names
    assert not list(bundle.glob("leanspec_*_bin-*-none-any.whl"))
    assert all(zipfile.ZipFile(path).testzip() is None for path in bundle.glob("*.whl"))
    listed = (bundle / "SHA256SUMS").read_text().splitlines()
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert len(listed) == len(files) - 1
    page = (bundle / "README.md").read_text()
    links = LINKS.format(bundle="/media/lean-spec")
    assert f'uv tool install {links} "{WITH_PAGES}"' in page


def test_bundle_downloads_for_other_machines(
    small: Installation, stand_in: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    # An installer prefers the one with a build number: a page with hashes has both.
    (program,) = (stand_in / "dist").glob("leanspec_cli_bin-*linux*.whl")
    other = tmp_path / program.name.replace("-py3-", "-1-py3-")
    shutil.copy(program, other)
    rewrite(other, {"another.py": b""})
    wheels = [other, *(stand_in / "dist").glob("*.whl"), *wheelhouse.glob("*.whl")]
    links = [
        f'<a href="{path.as_uri()}#sha256={sha256(path.read_bytes()).hexdigest()}">{path.name}</a>'
        for path in wheels
    ]
    index = tmp_path / "index.html"
    index.write_text("\n".join(["<!DOCTYPE html>", *links]))
    options = ("--python", "3.9", "--python", "3.13", "--extra", "ui")
    env = {"PIP_FIND_LINKS": str(index)}
    small.start("leanspec-launcher", "bundle", tmp_path / "out", *options, env=env)
    page = (tmp_path / "out/README.md").read_text()
    assert re.search(r"For Python 3\.9 on .*, Python 3\.13 on ", page)
    names = [path.name.split("-")[0] for path in (tmp_path / "out").glob("*.whl")]
    # Python 3.9 needs an older click; the programs are for every Python.
    assert (names.count("click"), names.count("leanspec_cli_bin")) == (2, 1)


def test_bundle_without_pip_says_what_brings_it(
    small: Installation, surroundings: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name == 'pip' else find(name)\n"
        "from leanspec_launcher.manage import main\n"
        "main()\n"
    )
    python = [str(small.commands / "python"), "-I", "-c", program]
    error = run([*python, "bundle", tmp_path / "out"], surroundings, code=1).stderr
    assert "`bundle` needs pip, which is not installed in this environment\nhint: " in error
    assert "downloading" not in error


@pytest.fixture
def refusal(small: Installation, surroundings: dict[str, str]) -> Callable[..., str]:
    """Return how `bundle` fails, with the error; no index is configured."""

    def refusal(*arguments: str | Path, **env: str) -> str:
        command = [small.commands / "leanspec-launcher", "bundle", *arguments]
        return run(command, surroundings | env, code=1).stderr

    return refusal


def test_bundle_that_cannot_be_made_leaves_nothing(
    refusal: Callable[..., str], stand_in: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    error = refusal(out, "--platform", "windows-arm64")
    assert "has no `leanspec` for `windows-arm64`" in error
    assert "pip cannot download lean-spec" in refusal(out)
    # An index with stubs alone.
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for wheel in (stand_in / "dist").glob("*-none-any.whl"):
        shutil.copy(wheel, stubs)
    links = f"{stubs} {wheelhouse}"
    error = refusal(out, PIP_FIND_LINKS=links)
    assert "DO NOT MATCH THE HASHES" in error
    assert "leanspec-cli-bin" in error
    # Another launcher of the same version.
    for wheel in (stand_in / "dist").glob("*linux*.whl"):
        shutil.copy(wheel, stubs)
    (main,) = stubs.glob("lean_spec-*.whl")
    rewrite(main, {"leanspec_launcher/find.py": b"# another\n"})
    error = refusal(out, PIP_FIND_LINKS=links)
    assert "is not the one that is installed here" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "stubs"]
    out.mkdir()
    (out / "file").write_text("")
    assert "already exists" in refusal(out)
    file = out / "file"
    assert f"`{file}/out` cannot be written: " in refusal(file / "out")
