"""The real programs need OpenSSL 3: grafted, their wheels are lawful and start where there is none."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.support.preconditions import needs
from tests.support.releases import install
from tests.support.surroundings import clean
from tests.support.versions import RELEASED

Scripts = Callable[..., CompletedProcess[str]]


def test_the_tags_are_lawful_and_auditwheel_agrees(grafted: Path, scripts: Scripts) -> None:
    for family in ("cli", "mcp"):
        wheel = next(grafted.glob(f"leanspec_{family}_bin-*linux*.whl"))
        ours = wheel.stem.split("-")[-1]
        assert ours.startswith("manylinux_")
        command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
        said = " ".join(
            subprocess.run(
                command, capture_output=True, text=True, check=True
            ).stdout.split()
        )
        assert f'the following platform tag: "{ours}"' in said
        found = json.loads(scripts("inspect", wheel, "--json").stdout)[0]
        assert found["verdict"] == "true"


def test_the_record_keeps_both_digests_and_the_bill_names_the_libraries(
    grafted: Path, binaries: Path
) -> None:
    with zipfile.ZipFile(next(grafted.glob("leanspec_cli_bin-*linux*.whl"))) as archive:
        record = json.loads(archive.read("leanspec_cli_bin/bin/binary.json"))
        program = archive.read("leanspec_cli_bin/bin/leanspec")
        libraries = [
            name.split("/")[-1]
            for name in archive.namelist()
            if name.startswith("leanspec_cli_bin.libs/")
        ]
        bill = json.loads(
            archive.read(
                f"leanspec_cli_bin-{RELEASED}.dist-info/sboms/leanspec-build.cdx.json"
            )
        )
    original = (binaries / "cli/binaries/linux-x64/leanspec").read_bytes()
    assert record["sha256"] == hashlib.sha256(program).hexdigest()
    assert record["grafted"]["from"]["sha256"] == hashlib.sha256(original).hexdigest()
    assert sorted(record["grafted"]["libraries"]) == sorted(libraries)
    assert set(libraries) <= {component["name"] for component in bill["components"]}
    # Scanners know packages, with their versions, and no files.
    if shutil.which("dpkg-query"):
        query = ["dpkg-query", "--show", "--showformat=${Version}", "libssl3"]
        version = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        (package,) = [each for each in bill["components"] if each["name"] == "libssl3"]
        assert package["version"] == version
        assert package["purl"].startswith("pkg:deb/")


@pytest.mark.system
@needs("Linux", "root")
def test_it_starts_where_there_is_no_openssl(
    grafted: Path, installed: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    install(tmp_path / "venv", grafted, wheelhouse)
    hide = 'for f in /usr/lib/x86_64-linux-gnu/lib{ssl,crypto}.so.3; do mount --bind /dev/null $f; done; exec "$@"'
    commands = {
        "plain": installed / "bin/lean-spec",
        "grafted": tmp_path / "venv/bin/lean-spec",
    }
    done = {
        name: subprocess.run(
            ["unshare", "--mount", "bash", "-ec", hide, "sh", command, "--version"],
            env=clean(tmp_path / name),
            capture_output=True,
            text=True,
            check=False,
        )
        for name, command in commands.items()
    }
    assert done["plain"].returncode == 126, "OpenSSL is not hidden"
    assert "libssl.so.3`, which cannot be loaded (file too short)" in done["plain"].stderr
    assert done["grafted"].stdout == f"lean-spec {version}\n", done["grafted"].stderr
