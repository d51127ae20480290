"""`leanspec-launcher bundle`: what it makes installs where there is no network interface at all."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.releases import install
from tests.support.surroundings import (
    BASE_PYTHON,
    clean,
    is_root,
    make_venv,
    once,
    programs,
    run,
)
from tests.support.wheel_files import rewrite

pytestmark = pytest.mark.posix
PYTHON = "{}.{}".format(*sys.version_info[:2])
NAME = "lean-spec[ui]"


@dataclass
class Gap:
    """A bundle, and a machine without a network."""

    bundle: Path
    home: Path
    env: dict[str, str]

    @property
    def index(self) -> str:
        return f"file://{self.bundle}/simple"

    def run(self, *command: str | Path, code: int | None = 0) -> str:
        """Run a command in a network namespace with no interface that is up."""
        done = run(["unshare", "--net", *command], self.env, code=code, timeout=120)
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def own_small(shared: Path, stand_in: Path, wheelhouse: Path) -> Path:
    """Return an environment with small programs."""

    def make(folder: Path) -> None:
        install(folder / "venv", stand_in / "dist", wheelhouse)

    return once(shared / "own-small", make) / "venv"


@pytest.fixture(scope="session")
def bundle(shared: Path, own_small: Path, stand_in: Path, wheelhouse: Path) -> Path:
    """Return a bundle of small programs, made by an installation of them."""

    def make(folder: Path) -> None:
        links = f"{stand_in / 'dist'} {wheelhouse}"
        env = clean(folder / "home", PIP_FIND_LINKS=links)
        launcher = programs(own_small) / "leanspec-launcher"
        made = folder / "a folder"
        run([launcher, "bundle", made, "--extra", "ui", "--python", PYTHON], env)

    return once(shared / "bundle", make) / "a folder"


@pytest.fixture
def gap(bundle: Path, tmp_path: Path) -> Gap:
    if not is_root() or shutil.which("unshare") is None:
        pytest.skip("only root can take the network away from a program")
    copy = tmp_path / "medium"
    shutil.copytree(bundle, copy)
    tools = Path(sys.executable).parent
    env = clean(tmp_path / "home")
    # Nothing of the tests' own settings: the commands are as the page says them.
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
        del env[name]
    return Gap(copy, tmp_path / "home", env | {"PATH": f"{tools}:{env['PATH']}"})


def by_pip(gap: Gap, code: int | None) -> tuple[Path, str]:
    prefix = make_venv(gap.home / "venv", BASE_PYTHON)
    pip = (programs(prefix) / "python", "-m", "pip", "install")
    return programs(prefix), gap.run(*pip, "--index-url", gap.index, NAME, code=code)


def by_uv(gap: Gap, code: int | None) -> tuple[Path, str]:
    uv = ("uv", "tool", "install", "--python", BASE_PYTHON, "--default-index", gap.index)
    return gap.home / "uv-bin", gap.run(*uv, NAME, code=code)


def by_pipx(gap: Gap, code: int | None) -> tuple[Path, str]:
    pipx = ("pipx", "install", "--python", BASE_PYTHON, "--index-url", gap.index)
    return gap.home / "pipx-bin", gap.run(*pipx, NAME, code=code)


def by_hashes(gap: Gap, code: int | None) -> tuple[Path, str]:
    prefix = make_venv(gap.home / "venv", BASE_PYTHON)
    pip = (programs(prefix) / "python", "-m", "pip", "install", "--require-hashes")
    given = (
        "--no-index",
        "--find-links",
        gap.bundle,
        "-r",
        gap.bundle / "requirements.txt",
    )
    return programs(prefix), gap.run(*pip, *given, code=code)


def by_lock(gap: Gap, code: int | None) -> tuple[Path, str]:
    prefix = make_venv(gap.home / "venv", BASE_PYTHON)
    python = programs(prefix) / "python"
    uv = ("uv", "pip", "install", "--python", python, "--no-index", "--preview")
    return programs(prefix), gap.run(*uv, "-r", gap.bundle / "pylock.toml", code=code)


WAYS: dict[str, Callable[[Gap, int | None], tuple[Path, str]]] = {
    "pip": by_pip,
    "uv tool": by_uv,
    "pipx": by_pipx,
    "pip with hashes": by_hashes,
    "uv with the lock": by_lock,
}


OTHERS = ("lean_spec", "click")


@pytest.mark.system
@pytest.mark.parametrize("way", WAYS)
def test_it_installs_without_a_network(gap: Gap, way: str, version: str) -> None:
    scripts, _ = WAYS[way](gap, 0)
    assert gap.run(scripts / "lean-spec", "--version") == f"leanspec {version}\n"
    gap.run(scripts / "leanspec-launcher", "verify", "http")
    assert "0 error" in gap.run(scripts / "leanspec-launcher", "doctor", code=None)


@pytest.mark.system
@pytest.mark.parametrize("way", WAYS)
def test_one_changed_byte_is_refused_by_name(gap: Gap, way: str) -> None:
    (path,) = gap.bundle.glob("leanspec_cli_bin-*.whl")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    # Some look at the archive's own sums first.
    _, said = WAYS[way](gap, 1)
    assert "leanspec-cli-bin" in said.replace("_", "-")
    sums = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    found = run(sums, gap.env, cwd=gap.bundle, code=1).stdout
    assert found.startswith(f"{path.name}: FAILED")


@pytest.mark.system
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "wheel",
    ["leanspec_mcp_bin", *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)],
)
def test_another_whole_wheel_is_refused_by_its_hash(gap: Gap, way: str, wheel: str) -> None:
    (path,) = gap.bundle.glob(f"{wheel}-*.whl")
    rewrite(path, {"another.py": b""})
    scripts, said = WAYS[way](gap, None)
    assert wheel in said.replace("-", "_")
    # uv compares the size of a lock before its hash.
    assert "hash" in said.lower() or "the lockfile records" in said
    assert not (scripts / "lean-spec").exists()


@pytest.mark.system
def test_what_is_damaged_is_repaired_and_fetched_from_it(gap: Gap) -> None:
    scripts, _ = by_pip(gap, 0)
    (program,) = gap.home.glob("venv/lib/*/site-packages/leanspec_cli_bin/bin/leanspec")
    program.write_bytes(b"damaged")
    launcher = scripts / "leanspec-launcher"
    assert "repaired: " in gap.run(launcher, "repair", "--from", gap.bundle)
    gap.run(scripts / "lean-spec", "--version")


def test_the_files_are_whole_and_name_no_stub(bundle: Path) -> None:
    env = clean(bundle.parent / "home")
    run(["sha256sum", "--check", "--strict", "SHA256SUMS"], env, cwd=bundle)
    names = {path.name.split("-")[0] for path in bundle.glob("*.whl")}
    assert {"lean_spec", "leanspec_cli_bin", "leanspec_mcp_bin", "click"} <= names
    assert not list(bundle.glob("leanspec_*_bin-*-none-any.whl"))
    assert all(zipfile.ZipFile(path).testzip() is None for path in bundle.glob("*.whl"))
    listed = (bundle / "SHA256SUMS").read_text().splitlines()
    files = [path for path in bundle.rglob("*") if path.is_file()]
    assert len(listed) == len(files) - 1


@pytest.fixture
def own(own_small: Path, surroundings: dict[str, str]) -> Callable[..., str]:
    def bundle_it(*arguments: str | Path, code: int = 1, **env: str) -> str:
        launcher = programs(own_small) / "leanspec-launcher"
        done = run([launcher, "bundle", *arguments], surroundings | env, code=code)
        assert "Traceback" not in done.stderr
        return done.stderr

    return bundle_it


def test_what_cannot_be_bundled_leaves_nothing(
    own: Callable[..., str], stand_in: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = own(out, "--platform", "windows-arm64")
    assert "has no `leanspec` for `windows-arm64`" in said
    assert "pip cannot download lean-spec" in own(out)
    # An index with stubs alone.
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for wheel in (stand_in / "dist").glob("*-none-any.whl"):
        shutil.copy(wheel, stubs)
    links = f"{stubs} {wheelhouse}"
    assert "the index has no `leanspec_cli_bin-" in own(out, PIP_FIND_LINKS=links)
    # Another launcher of the same version.
    for wheel in (stand_in / "dist").glob("*linux*.whl"):
        shutil.copy(wheel, stubs)
    (main,) = stubs.glob("lean_spec-*.whl")
    rewrite(main, {"leanspec_launcher/find.py": b"# another\n"})
    assert "is not the one that is installed here" in own(out, PIP_FIND_LINKS=links)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "stubs"]
    out.mkdir()
    (out / "file").write_text("")
    assert "is there already" in own(out)
