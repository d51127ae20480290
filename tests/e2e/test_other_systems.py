"""Real installs on other systems: the right wheel is chosen, and its program runs there.

Emulated arm64, a musl CPython, the newest CPython, and a Windows CPython under wine, all in trees
of their own. macOS and Windows on arm64 cannot be run here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.tools.processes import own_program
from tests.support import debian
from tests.support.installers import install_with_pip
from tests.support.other_programs import TOOLS, build_all, make_project
from tests.support.preconditions import require
from tests.support.surroundings import clean, once, run
from tests.support.targets import TARGETS
from tests.support.wheel_files import required

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.network]
ARM_PACKAGES = [
    *("libc6", "libgcc-s1", "libcrypt1", "zlib1g", "libexpat1", "libbz2-1.0", "liblzma5"),
    *("libffi8", "libssl3", "libuuid1", "libsqlite3-0", "libreadline8", "libtinfo6"),
    *("libnsl2", "libtirpc3"),
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "python3.11"),
]
# The kernel's word on ELF files for aarch64: run them by this emulator, opened now (F), in this
# namespace alone.
BINFMT = (
    r":arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:F"
)
EMULATED = """mount -t tmpfs tmpfs /mnt && mkdir /mnt/b && mount -t binfmt_misc binfmt_misc /mnt/b
printf '%s' '{binfmt}' > /mnt/b/register
exec chroot "$0" "$@"
"""
INSTALL = ("install", "--no-index", "--find-links", "/dist", "--find-links", "/wheelhouse")


def bring(tree: Path, dist: Path, wheelhouse: Path) -> str:
    """Copy the wheels into a tree, and return the path of pip's own in it."""
    shutil.copytree(dist, tree / "dist", dirs_exist_ok=True)
    (tree / "wheelhouse").mkdir(exist_ok=True)
    for wheel in (*required(wheelhouse), *wheelhouse.glob("pip-*.whl")):
        shutil.copy(wheel, tree / "wheelhouse")
    return f"/wheelhouse/{max(path.name for path in wheelhouse.glob('pip-*.whl'))}/pip"


def test_all_six_platforms_are_tagged_and_this_one_runs(
    six_platforms: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    names = sorted(path.name for path in six_platforms.glob("leanspec_cli_bin-*.whl"))
    assert names == sorted(
        f"leanspec_cli_bin-{version}-py3-none-{tag}.whl"
        for tag in (*TARGETS.values(), "any")
    )
    folders = (six_platforms, wheelhouse)
    # There are no pages.
    installation = install_with_pip(tmp_path / "home", *folders, requirement="lean-spec")
    assert installation.start("lean-spec", "x").stdout == f'leanspec {version} ["x"]\n'


def test_emulated_arm64(
    six_platforms: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    require("qemu-aarch64-static", "dpkg-deb")
    tree = tmp_path / "arm64"
    debian.unpack(tree, "arm64", *ARM_PACKAGES)
    pip = bring(tree, six_platforms, wheelhouse)

    def emulated(*command: str) -> str:
        script = EMULATED.format(binfmt=BINFMT)
        namespace = ("unshare", "--user", "--map-root-user", "--mount")
        unshare = (*namespace, "sh", "-ec", script, str(tree), *command)
        return run(
            unshare, clean(tmp_path / "home", PATH="/usr/bin:/bin:/sbin:/usr/sbin")
        ).stdout

    actual = emulated("/usr/bin/python3.11", "-c", "import os; print(os.uname().machine)")
    assert actual == "aarch64\n"
    emulated("/usr/bin/python3.11", "-m", "venv", "--without-pip", "/v")
    emulated("/v/bin/python", pip, *INSTALL, "lean-spec")
    assert emulated("/v/bin/lean-spec", "a b") == f'leanspec {version} ["a b"]\n'


def test_the_newest_python_of_debian(
    six_platforms: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    require("debootstrap")
    tree = tmp_path / "sid"
    debian.bootstrap(tree, "sid", "python3", "python3-venv")
    output = debian.inside(
        tree, "python3", "-c", "import sys; print(*sys.version_info[:2])"
    ).stdout
    assert tuple(map(int, output.split())) >= (3, 14), output
    pip = bring(tree, six_platforms, wheelhouse)
    debian.inside(tree, "python3", "-m", "venv", "--without-pip", "/v")
    debian.inside(tree, "/v/bin/python", pip, *INSTALL, "lean-spec")
    expected = f'leanspec {version} ["a b"]\n'
    assert debian.inside(tree, "/v/bin/lean-spec", "a b").stdout == expected


@pytest.fixture(scope="session")
def musl_python(shared: Path) -> Path:
    """Return a CPython that is linked to musl, built from Debian's sources."""
    require("musl-gcc", "make", "gcc")
    return once(shared / "musl", debian.build_musl_python) / "cpython/bin/python3.11"


def test_musl_python_takes_the_static_wheel_or_the_stub(
    musl_python: Path,
    six_platforms: Path,
    grafted: Path,
    wheelhouse: Path,
    tmp_path: Path,
    version: str,
) -> None:
    pip = max(wheelhouse.glob("pip-*.whl"))
    for source, code in ((six_platforms, 0), (grafted, 127)):
        prefix = tmp_path / f"v{code}"
        env = clean(tmp_path / "home")
        run([musl_python, "-m", "venv", "--without-pip", prefix], env)
        links = ["--find-links", str(source), "--find-links", str(wheelhouse)]
        run([prefix / "bin/python", f"{pip}/pip", "install", *links, "lean-spec"], env)
        process = run([prefix / "bin/lean-spec", "a b"], env, code=code)
        if code == 0:
            assert process.stdout == f'leanspec {version} ["a b"]\n'
        else:
            assert "nearest     the one for Linux on x86-64 needs " in process.stderr
            assert ", musl 1." in process.stderr
    uv = (own_program("uv"), "pip", "install", "--python", musl_python)
    command = (*uv, "--target", tmp_path / "t")
    run(
        [*command, "--find-links", six_platforms, "--find-links", wheelhouse, "lean-spec"],
        clean(tmp_path / "home"),
    )
    wheel = tmp_path / f"t/leanspec_cli_bin-{version}.dist-info/WHEEL"
    assert "Tag: py3-none-musllinux_1_1_x86_64\n" in wheel.read_text("utf-8")


@pytest.mark.parametrize("name", ["rust-just", "ninja"])
def test_musl_python_takes_programs_of_other_projects(
    musl_python: Path, wheelhouse: Path, tmp_path: Path, name: str
) -> None:
    """One is static, the other one is linked to musl."""
    (tool,) = (tool for tool in TOOLS if tool.name == name)
    make_project(tool, tmp_path / "project")
    build_all(tmp_path / "project", tmp_path / "ours")
    env = clean(tmp_path / "home")
    prefix = tmp_path / "venv"
    run([musl_python, "-m", "venv", "--without-pip", prefix], env)
    pip = max(wheelhouse.glob("pip-*.whl"))
    links: list[str | Path] = ["--no-index", "--find-links", tmp_path / "ours"]
    run([prefix / "bin/python", f"{pip}/pip", "install", *links, f"{name}-again"], env)
    record = next(prefix.glob("lib/*/site-packages/*_again-*.dist-info/WHEEL"))
    assert "-musllinux_1_" in record.read_text("utf-8")
    output = run([prefix / "bin" / tool.programs[0], "--version"], env).stdout
    assert tool.version in output
