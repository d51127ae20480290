"""What a wheel brings along runs with the program: it is verified with it, whole, once per state."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from leanspec_launcher._tables import PROGRAMS
from tests.support.site import Site, script, settle, stamps

pytestmark = pytest.mark.posix
LIBRARIES = {"libssl-1.so.3": b"ssl " * 1000, "libcrypto-2.so.3": b"crypto " * 1000}


@pytest.fixture
def grafted(site: Site) -> Path:
    """Return the folder of the libraries, next to a wheel that was started once and is known."""
    program = script()
    site.pin("cli", program, LIBRARIES)
    folder = site.root / f"{PROGRAMS['cli'].package}.libs"
    folder.mkdir()
    for name, data in LIBRARIES.items():
        (folder / name).write_bytes(data)
    site.wheel("cli", program)
    return folder


def cache_files(site: Site) -> None:
    """Let a start leave a stamp for each of the files."""
    for path in site.root.glob("leanspec_cli_bin*/**/*"):
        settle(path)
    assert site.start("cli").stdout == "started\n"
    assert len(stamps(site)) == 3


def one_byte(path: Path) -> None:
    """Change a byte; size and time of modification stay."""
    state = path.stat()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"X")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def cut_short(path: Path) -> None:
    os.truncate(path, 1000)


def gone(path: Path) -> None:
    path.unlink()


def another_file(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"other")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.long
@pytest.mark.parametrize("spoil", [one_byte, cut_short, gone, another_file, a_folder])
@pytest.mark.parametrize("is_cached", [False, True])
def test_changed_library_is_refused(
    site: Site, grafted: Path, spoil: Callable[[Path], None], *, is_cached: bool
) -> None:
    if is_cached:
        cache_files(site)
    library = grafted / "libcrypto-2.so.3"
    spoil(library)
    result = site.start("cli", code=126)
    assert f"its library `{library}` " in result.stderr
    assert "hint: " in result.stderr
    verify, search, doctor, repair = site.manage_each(
        ("verify", "cli"), ("which", "cli"), ("doctor",), ("repair", "cli", "--dry-run")
    )
    assert (verify.returncode, search.returncode) == (1, 1)
    assert f"its library `{library}`" in doctor.stdout
    assert "leanspec_cli_bin" not in repair.stdout
    if library.is_dir():
        library.rmdir()
    library.unlink(missing_ok=True)
    library.write_bytes(LIBRARIES[library.name])
    assert site.start("cli").stdout == "started\n"
    assert site.manage("verify", "cli").returncode == 0


def test_binary_and_each_library_have_a_stamp(site: Site, grafted: Path) -> None:
    cache_files(site)
    folder = Path(site.env["HOME"], ".cache/lean-spec/verified")
    for stamp in list(folder.iterdir()):
        stamp.unlink()
        assert site.start("cli").stdout == "started\n"
        assert len(stamps(site)) == 3, "verified again, and cached"
    assert grafted.is_dir()


def test_verify_off_verifies_no_library(site: Site, grafted: Path) -> None:
    one_byte(grafted / "libssl-1.so.3")
    assert site.start("cli", env={"LEANSPEC_VERIFY": "off"}).stdout == "started\n"
    assert site.start("cli", code=126, env={"LEANSPEC_VERIFY": "always"}).stdout == ""


def test_library_without_a_pin_is_not_verified(site: Site, grafted: Path) -> None:
    (grafted / "libother.so").write_bytes(b"x")
    assert site.start("cli").stdout == "started\n"
