"""The bill of materials: valid by the standard's own schema, true to the sources, the same each time."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from leanspec_build.binaries import choose_binary
from leanspec_build.project.manifest import load_project
from leanspec_build.sbom import MADE_WITH, bill_of_materials

from tests.support import headers
from tests.support.sample import Sample
from tests.support.versions import RELEASED


def must_be_valid(text: str) -> None:
    # Takes 3 s to import, which no other test shall wait for.
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415
    from jsonschema import Draft7Validator  # noqa: PLC0415

    # Without their packages, these formats would pass unseen.
    assert {"date-time", "iri-reference"} <= Draft7Validator.FORMAT_CHECKER.checkers.keys()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_real_wheels_name_their_npm_package(dist: Path) -> None:
    for wheel in dist.glob("leanspec_*linux*.whl"):
        with ZipFile(wheel) as archive:
            name = next(entry for entry in archive.namelist() if "/sboms/" in entry)
            text = archive.read(name).decode()
            record = json.loads(
                archive.read(
                    next(
                        entry
                        for entry in archive.namelist()
                        if entry.endswith("binary.json")
                    )
                )
            )
        must_be_valid(text)
        components = {
            entry.get("purl", entry["name"]): entry
            for entry in json.loads(text)["components"]
        }
        source = components[f"pkg:npm/%40leanspec/{record['program']}-linux-x64@{RELEASED}"]
        integrity = base64.b64decode(
            record["source"]["integrity"].removeprefix("sha512-")
        ).hex()
        assert source["hashes"] == [{"alg": "SHA-512", "content": integrity}]


@pytest.mark.long
def test_a_linked_openssl_is_a_component(sample: Sample) -> None:
    openssl = {"name": "openssl", "version": "3.5.7", "sha256": "a" * 64}
    sample.collect(headers.elf(), said={"source": {"kind": "cargo", "openssl": openssl}})
    project = load_project(sample.root)
    programs = {"leanspec": choose_binary(project, {"platform": "linux-x64"})}
    text = bill_of_materials(project, programs).decode()
    must_be_valid(text)
    bill = json.loads(text)
    component = {
        "bom-ref": "linked:openssl",
        "type": "library",
        "name": "openssl",
        "version": "3.5.7",
        "purl": "pkg:generic/openssl@3.5.7",
        "cpe": "cpe:2.3:a:openssl:openssl:3.5.7:*:*:*:*:*:*:*",
        "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
    }
    assert component in bill["components"]
    dependency = {"ref": "program:leanspec", "dependsOn": ["linked:openssl"]}
    assert dependency in bill["dependencies"]


@pytest.mark.long
def test_crates_come_from_the_lock(sample: Sample) -> None:
    packages = [
        {"name": "leanspec-cli", "version": "1.2.3", "checksum": None},
        {"name": "serde", "version": "1.0.0", "checksum": "a" * 64},
    ]
    sample.collect(headers.elf(), said={"source": {"kind": "cargo", "packages": packages}})
    project = load_project(sample.root)
    binary = choose_binary(project, {"platform": "linux-x64"})
    programs = {"leanspec": binary}
    text = bill_of_materials(project, programs).decode()
    must_be_valid(text)
    tools = json.loads(text)["metadata"]["tools"]["components"]
    assert {entry["name"]: entry["version"] for entry in tools} == {
        name: importlib.metadata.version(name) for name in MADE_WITH
    }
    assert bill_of_materials(project, programs).decode() == text
    components = {
        entry.get("purl", entry["name"]): entry for entry in json.loads(text)["components"]
    }
    assert components["pkg:cargo/serde@1.0.0"]["hashes"] == [
        {"alg": "SHA-256", "content": "a" * 64}
    ]
    assert "pkg:cargo/leanspec-cli@1.2.3" in components
    digest = hashlib.sha256(headers.elf()).hexdigest()
    assert components["leanspec"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
