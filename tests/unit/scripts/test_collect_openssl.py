"""OpenSSL for a target, as far as no real one is needed: tests/e2e/test_cross.py builds the real one.

A small archive configures and builds itself as OpenSSL does, with the same compiler.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from scripts.collect import openssl
from scripts.collect.openssl import OpenSSL, cargo_environment, read_openssl, static_openssl
from tests.support.preconditions import needs

pytestmark = [pytest.mark.posix, needs("make", "perl")]
TARGET = "x86_64-linux-gnu.2.17"
# What OpenSSL's own scripts do, in as few lines as possible.
CONFIGURE = """
open(my $makefile, ">", "Makefile");
print $makefile "build_libs:\\n\\tSTEP\\n\\tprintenv > printenv.txt\\n";
print $makefile "\\tcc -c a.c -o a.o && ar qc libcrypto.a a.o && cp libcrypto.a libssl.a\\n";
print $makefile "\\tcp printenv.txt include/openssl/\\n";
"""
Archive = Callable[..., tuple[OpenSSL, Path]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home/.cache/leanspec-release/openssl"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    def write(step: str = "true", **others: str) -> tuple[OpenSSL, Path]:
        path = tmp_path / "openssl-9.9.9.tar.gz"
        files = {
            "Configure": CONFIGURE.replace("STEP", step),
            "a.c": "int a(void) { return 1; }\n",
            "include/openssl/ssl.h": "int a(void);\n",
            "include/openssl/ssl.h.in": "",
            "test/recipe.t": "",
        }
        with tarfile.open(path, "w:gz") as file:
            for name, text in (files | others).items():
                entry = tarfile.TarInfo(f"openssl-9.9.9/{name}")
                entry.size = len(text)
                file.addfile(entry, io.BytesIO(text.encode()))
        return pin_of(path), path

    return write


def pin_of(path: Path, url: str = "https://example.org/openssl.tar.gz") -> OpenSSL:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return OpenSSL("9.9.9", sha256, url, dt.date(2026, 1, 1))


def content(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_openssl_is_built_once_for_each_target(
    archive: Archive, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CFLAGS", "--unknown")
    monkeypatch.setenv("MAKEFLAGS", "--unknown")
    monkeypatch.setenv("PATH", f"relative:{os.environ['PATH']}")
    pin, path = archive()
    folder = static_openssl(pin, TARGET, path)
    library, header = ["lib/libcrypto.a", "lib/libssl.a"], "include/openssl/ssl.h"
    assert {*library, header} <= set(content(folder))
    assert "include/openssl/ssl.h.in" not in content(folder)
    assert content(cache) == sorted(
        [folder.name, *(f"{folder.name}/{name}" for name in content(folder))]
    ), "nothing but the result stays"
    environment = (folder / "include/openssl/printenv.txt").read_text()
    assert "SOURCE_DATE_EPOCH=315532800\n" in environment
    assert "--unknown" not in environment
    assert "relative" not in environment
    path.unlink()
    assert static_openssl(pin, TARGET, path) == folder, "from the cache"
    with pytest.raises(CommandError, match="cannot read the source of OpenSSL 9"):
        static_openssl(pin, "aarch64-linux-gnu.2.17", path)


def test_openssl_for_another_cpu_is_built_by_the_same_zig(archive: Archive) -> None:
    pin, path = archive()
    folder = static_openssl(pin, "aarch64-linux-gnu.2.17", path)
    data = (folder / "lib/libssl.a").read_bytes()
    machine = data.index(b"\x7fELF") + 18
    assert data[machine : machine + 2] == b"\xb7\x00", "AArch64"


@pytest.mark.parametrize("attack", ["changed", "link", "outside"])
def test_a_wrong_archive_is_refused_before_anything_of_it_runs(
    archive: Archive, cache: Path, tmp_path: Path, attack: str
) -> None:
    pin, path = archive(f"touch {tmp_path}/ran")
    words = f"has the sha256 `{'0' * 64}`"
    if attack == "changed":
        pin = OpenSSL(pin.version, "0" * 64, pin.url, pin.pinned)
        words = f"expected `{'0' * 64}` of OpenSSL 9.9.9"
    else:
        with tarfile.open(path, "w:gz") as file:
            entry = tarfile.TarInfo("openssl-9.9.9/../../Configure")
            if attack == "link":
                entry = tarfile.TarInfo("openssl-9.9.9/Configure")
                entry.type, entry.linkname = tarfile.SYMTYPE, "/bin/sh"
            file.addfile(entry)
        pin = pin_of(path)
        words = "is a link to `/bin/sh`" if attack == "link" else "leads out of it"
    with pytest.raises(CommandError, match=words):
        static_openssl(pin, TARGET, path)
    assert content(cache) == []
    assert not (tmp_path / "ran").exists()


def test_a_failed_build_shows_its_last_lines(archive: Archive, cache: Path) -> None:
    pin, path = archive("echo no space left; exit 3")
    with pytest.raises(CommandError) as caught:
        static_openssl(pin, TARGET, path)
    assert "of OpenSSL failed" in caught.value.message
    assert "no space left" in "\n".join(caught.value.details)
    assert content(cache) == []


@pytest.mark.parametrize("program", ["make", "perl"])
def test_a_missing_program_is_named(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    pin, path = archive()
    (tmp_path / "bin").mkdir()
    for other in {"make", "perl"} - {program}:
        (tmp_path / "bin" / other).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(CommandError, match=f"`{program}` is not installed") as caught:
        static_openssl(pin, TARGET, path)
    assert "apt-get install perl make" in str(caught.value.hint)


KILLED = """
import datetime, sys
from pathlib import Path
from scripts.collect.openssl import static_openssl
from scripts.collect.openssl import OpenSSL
pin = OpenSSL("9.9.9", sys.argv[1], "", datetime.date(2026, 1, 1))
static_openssl(pin, sys.argv[2], Path(sys.argv[3]))
"""


def test_a_killed_build_is_never_used(
    archive: Archive, cache: Path, tmp_path: Path
) -> None:
    started, killed = tmp_path / "started", tmp_path / "killed"
    pin, path = archive(f"touch {started}; until test -e {killed}; do sleep 0.05; done")
    command = [sys.executable, "-c", KILLED, pin.sha256, TARGET, str(path)]
    process = subprocess.Popen(command, process_group=0, env={**os.environ})
    until = time.monotonic() + 60
    while not started.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    # As the machine would end it: without a chance to clean up.
    process.kill()
    process.wait()
    killed.touch()
    assert [name for name in content(cache) if name.endswith("libssl.a")] == []
    folder = static_openssl(pin, TARGET, path)
    assert [place.name for place in cache.iterdir()] == [folder.name]


@contextlib.contextmanager
def served(data: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if data else 404)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may have read enough
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/openssl.tar.gz"
        server.shutdown()


def test_the_pinned_archive_is_downloaded(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    _, path = archive()
    with served(path.read_bytes()) as url:
        assert static_openssl(pin_of(path, url), TARGET).is_dir()
        monkeypatch.setattr(openssl, "LARGEST_ARCHIVE", 10)
        with pytest.raises(CommandError, match="is larger than 10 bytes"):
            static_openssl(pin_of(path, url), "aarch64-linux-gnu.2.17")
    with (
        served(b"") as url,
        pytest.raises(CommandError, match="404 Client Error") as caught,
    ):
        static_openssl(pin_of(path, url), "aarch64-linux-gnu.2.17")
    assert "--openssl FILE" in str(caught.value.hint)


def test_cargo_inherits_no_other_openssl() -> None:
    inherited = {
        "PATH": "/bin",
        "OPENSSL_DIR": "/usr",
        "x86_64_unknown_linux_gnu_openssl_lib_dir": "/usr/lib",
    }
    environment = cargo_environment(inherited, "x86_64-unknown-linux-gnu", Path("/kept"))
    assert environment == {
        "PATH": "/bin",
        "X86_64_UNKNOWN_LINUX_GNU_OPENSSL_DIR": "/kept",
        "X86_64_UNKNOWN_LINUX_GNU_OPENSSL_STATIC": "1",
        "X86_64_UNKNOWN_LINUX_GNU_OPENSSL_NO_VENDOR": "1",
    }


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('version = "3.5.7"\n', "missing 4 required|missing 3 required"),
        ('version = "3.5.7"\nsha256 = ""\nurl = ""\npinned = "today"\n', "is not a date"),
        ("", "missing 4 required"),
    ],
)
def test_an_incomplete_pin_is_named(tmp_path: Path, table: str, words: str) -> None:
    text = f"[tool.leanspec-release]\n[tool.leanspec-release.openssl]\n{table}"
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(CommandError, match=words):
        read_openssl(tmp_path)
