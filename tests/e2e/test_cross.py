"""Real cross builds: a pinned glibc and a pinned OpenSSL with `cargo zigbuild`, inspected, installed and run."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from packaging.version import Version

from scripts.collect.openssl import read_openssl
from scripts.tools.processes import clean_environment, own_program
from tests.support import openssl
from tests.support.downloads import serving, write_certificate
from tests.support.elf import C_LIBRARY, needed, newest_glibc
from tests.support.installers import install_with_pip
from tests.support.preconditions import needs
from tests.support.surroundings import clean, once, run
from tests.support.workspace import add_crates, write_workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    needs("cargo", "make", "perl"),
]
TARGET = "x86_64-unknown-linux-gnu.2.17"
CLIENT = Path(openssl.__file__).with_name("tls_client.rs")
# An /etc of its own, with an authority in one place; or, for `-`, in none.
WITH_AUTHORITY = """mount -t tmpfs tmpfs /etc
[ "$2" = - ] || { mkdir -p "$(dirname "$2")" && cp "$1" "$2"; }
shift 2 && exec "$@"
"""
DEBIAN = "/etc/ssl/certs/ca-certificates.crt"
RED_HAT = "/etc/pki/tls/certs/ca-bundle.crt"


@pytest.fixture(scope="module")
def built(
    scripts: Callable[..., CompletedProcess[str]], shared: Path, version: str
) -> Path:
    """Return `binaries/` and `dist/` of programs; that of `cli` is a client of TLS."""
    openssl.must_be_obtainable()

    def make(folder: Path) -> None:
        workspace = write_workspace(folder / "workspace", version)
        crates = 'openssl = "0.10"\nopenssl-probe = "0.1"'
        add_crates(workspace, "leanspec-cli", crates, openssl.crates())
        shutil.copy(CLIENT, workspace / "leanspec-cli/src/main.rs")
        openssl.keep_libraries(folder / "home")
        command = ["collect", "cargo", workspace, "--target", TARGET, "--build"]
        command += ["--openssl", openssl.source(), "--into", folder / "binaries"]
        env = clean_environment(HOME=str(folder / "home"))
        scripts(*command, env=env, timeout=1200)
        scripts("wheels", "--binaries", folder / "binaries", "--out", folder / "dist")

    return once(shared / "cross", make)


def program(built: Path) -> Path:
    return built / "binaries/cli/binaries/linux-x64/leanspec"


def test_static_openssl_needs_the_pinned_glibc_and_nothing_else(built: Path) -> None:
    data = program(built).read_bytes()
    assert needed(data) <= C_LIBRARY
    assert newest_glibc(data) <= Version("2.17")
    # The paths of crates in messages are Rust's; OpenSSL's own would name the folder of its build.
    assert b".cache/leanspec-release" not in data
    assert b"compiler: cc -fPIC" in data


def test_binary_json_states_the_openssl_of_its_program_alone(built: Path) -> None:
    for program, expected in {"cli": read_openssl().record, "mcp": None}.items():
        path = built / f"binaries/{program}/binaries/linux-x64/binary.json"
        source = json.loads(path.read_text("utf-8"))["source"]
        assert source["target"] == TARGET
        assert source.get("openssl") == expected


def test_the_tag_states_the_pinned_glibc(
    built: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    (wheel,) = built.glob("dist/leanspec_cli_bin-*linux*.whl")
    tag = "manylinux2014_x86_64.manylinux_2_17_x86_64"
    assert wheel.name == f"leanspec_cli_bin-{version}-py3-none-{tag}.whl"
    env = clean(tmp_path / "auditwheel")
    verdict = run([own_program("auditwheel"), "show", wheel], env).stdout
    assert '"manylinux_2_17_x86_64"' in " ".join(verdict.split())
    # There are no pages.
    folders = (built / "dist", wheelhouse)
    installation = install_with_pip(tmp_path / "home", *folders, requirement="lean-spec")
    assert installation.start("lean-spec", "x").stdout == f'leanspec {version} ["x"]\n'


def get(
    client: Path, certificate: Path, place: str, home: Path
) -> subprocess.CompletedProcess[str]:
    """Make a request where the certificate stands in the system's store, in the given place."""
    with serving(certificate) as files:
        files.content["page"] = b"the page\n"
        address = files.url.removeprefix("https://").rstrip("/")
        command: list[str | Path] = ["unshare", "--mount", "sh", "-ec", WITH_AUTHORITY]
        command += ["sh", certificate, place, client, "get", address, "/page"]
        return run(command, clean(home), code=None)


@pytest.mark.system
@needs("mounts", "openssl")
@pytest.mark.parametrize("place", [DEBIAN, "/etc/ssl/certs/{}.0", RED_HAT])
def test_static_openssl_trusts_an_authority_of_the_system(
    built: Path, tmp_path: Path, place: str
) -> None:
    certificate = write_certificate(tmp_path / "own.pem")
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    name = run(command, clean(tmp_path / "home")).stdout.strip()
    process = get(program(built), certificate, place.format(name), tmp_path / "home")
    assert process.returncode == 0, process.stderr
    assert process.stdout.endswith("\n\nthe page\n")


@pytest.mark.system
@needs("mounts")
@pytest.mark.parametrize("days", [1, -1])
def test_static_openssl_refuses_an_unknown_or_expired_authority(
    built: Path, tmp_path: Path, days: int
) -> None:
    certificate = write_certificate(tmp_path / "own.pem", days=days)
    place = "-" if days > 0 else DEBIAN
    process = get(program(built), certificate, place, tmp_path / "home")
    assert process.returncode == 1
    assert "certificate verify failed" in process.stderr
    reason = "self-signed certificate" if days > 0 else "certificate has expired"
    assert reason in process.stderr
