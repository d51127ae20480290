"""The real programs need OpenSSL 3: grafted, their wheels are lawful and start where there is none."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.tools.processes import clean_environment
from tests.support.installers import Installation, install_with_pip
from tests.support.preconditions import needs
from tests.support.releases import Scripts
from tests.support.surroundings import run
from tests.support.versions import RELEASED


def test_the_tags_are_lawful_and_auditwheel_agrees(grafted: Path, scripts: Scripts) -> None:
    wheels = [*grafted.glob("leanspec_[cm]*_bin-*linux*.whl")]
    assert len(wheels) == 2
    for wheel in wheels:
        tag = wheel.stem.split("-")[-1]
        assert tag.startswith("manylinux_")
        show = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
        output = " ".join(run(show, clean_environment()).stdout.split())
        assert f'the following platform tag: "{tag}"' in output
    reports = json.loads(scripts("inspect", *wheels, "--json").stdout)["files"]
    assert [report["verdict"] for report in reports] == ["true", "true"]


def test_wheels_hints_at_its_own_option_that_grafts(
    scripts: Scripts, binaries: Path, tmp_path: Path
) -> None:
    """And not at a setting of the backend, which `wheels` does not take."""
    options = ("--binaries", binaries, "--program", "cli", "--out", tmp_path / "out")
    output = scripts("wheels", *options).stderr
    command = "`python3 -m scripts wheels --repair auditwheel`"
    assert f"    hint: graft them into the wheel: {command}\n" in output
    assert "-C " not in output


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
        version = run(query, clean_environment()).stdout
        (package,) = [part for part in bill["components"] if part["name"] == "libssl3"]
        assert package["version"] == version
        assert package["purl"].startswith("pkg:deb/")


@pytest.mark.system
@needs("Linux", "root")
def test_a_grafted_program_starts_without_openssl_of_the_system(
    grafted: Path, installed: Installation, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    hide = 'for f in /usr/lib/x86_64-linux-gnu/lib{ssl,crypto}.so.3; do mount --bind /dev/null $f; done; exec "$@"'
    prefix = ("unshare", "--mount", "bash", "-ec", hide, "sh")
    installed.prefix = prefix
    plain = installed.start("lean-spec", "--version", code=None)
    assert plain.returncode == 126, "OpenSSL is not hidden"
    assert "libssl.so.3`, which cannot be loaded (file too short)" in plain.stderr
    repaired = install_with_pip(tmp_path / "home", grafted, wheelhouse)
    repaired.prefix = prefix
    repaired.must_report(version)
