"""`assets --provenance`: the attestation of a release's files, as one more asset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from scripts.github.assembled import verified
from scripts.github.listing import Listing
from scripts.model.plan import Plan
from tests.support.assets import AssetsCommand, write_provenance_bundle
from tests.support.github import GitHub, names


def test_provenance_is_an_asset_and_stays_that_of_the_first_upload(
    upload: AssetsCommand, github: GitHub, few: Path, version: str, tmp_path: Path
) -> None:
    name = f"leanspec-{version}.intoto.jsonl"
    provenance = write_provenance_bundle(tmp_path, few / "SHA256SUMS")
    process = upload("--provenance", provenance)
    assert process.returncode == 0, process.stderr
    first = github.assets(f"v{version}")[name]
    assert first.count(b"\n") == 1, "a bundle a line"
    assert json.loads(first) == json.loads(provenance.read_text())
    provenance.write_text(provenance.read_text().replace("{", '{"another": 1, ', 1))
    again = upload("--provenance", provenance)
    assert again.returncode == 0, again.stderr
    assert github.assets(f"v{version}")[name] == first
    assert set(github.assets(f"v{version}")) == names(few) | {name}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"dsseEnvelope": {"payload": "***"}}'])
def test_damaged_provenance_is_refused(
    few: Path, plan: Plan, text: str, tmp_path: Path
) -> None:
    provenance = tmp_path / "attestation.json"
    provenance.write_text(text)
    with pytest.raises(CommandError, match=str(provenance)) as error:
        verified(few, plan, provenance, Listing())
    assert "the file that `actions/attest` wrote" in str(error.value.hint)


def test_provenance_of_other_bytes_is_refused(
    upload: AssetsCommand, github: GitHub, few: Path, tmp_path: Path
) -> None:
    provenance = write_provenance_bundle(tmp_path, few / "SHA256SUMS", digest="0" * 64)
    process = upload("--provenance", provenance)
    assert process.returncode == 1
    assert f"error: `{provenance}` " in process.stderr
    assert "hint: give the file that `actions/attest` wrote" in process.stderr
    assert github.asked == []
