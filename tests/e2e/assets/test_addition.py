"""`assets --add`: desktop bundles for a release that is out."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from minisign import SecretKey

from leanspec_launcher.commands import CommandError
from scripts.github.assemble import assemble_addition
from scripts.github.assembled import verified
from scripts.model.plan import Plan
from scripts.tools.processes import OWN_COMMAND
from tests.support import assets
from tests.support.assets import LATER, PASSWORD, AssetsCommand, write_provenance_bundle
from tests.support.github import GitHub, names
from tests.support.keys import without_password
from tests.support.surroundings import clean, run


def test_desktop_bundle_is_added_to_a_release_that_is_out(
    upload: AssetsCommand, publish: AssetsCommand, github: GitHub, added: Path, version: str
) -> None:
    assert upload().returncode == publish().returncode == 0
    before = github.assets(f"v{version}")
    github.cut_after = len(before) + 1
    cut = upload("--add", "desktop", folder=added)
    assert cut.returncode == 1
    assert "hint: run the same command again" in cut.stderr
    github.cut_after = None
    github.asked.clear()
    again = upload("--add", "desktop", folder=added)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("there already") == 1
    after = github.assets(f"v{version}")
    assert before.items() <= after.items()
    assert after == before | {name: (added / name).read_bytes() for name in names(added)}
    changes = [
        request for request in github.asked if request.startswith(("PATCH", "DELETE"))
    ]
    assert len(changes) == 1, "only its own unfinished asset is removed"
    github.asked.clear()
    assert upload("--add", "desktop", folder=added).returncode == 0
    assert not [request for request in github.asked if request.startswith("POST /repos")]
    assert upload().returncode == 0, "the release itself is as it was"


def test_an_addition_has_a_signed_list_of_its_own(
    added: Path, plan: Plan, version: str
) -> None:
    bundle = f"leanspec-desktop-{version}-linux-x64.deb"
    sums, manifest = "SHA256SUMS.desktop", "release.desktop.json"
    signatures = {f"{sums}.minisig", f"{manifest}.minisig"}
    assert names(added) == {bundle, sums, manifest, *signatures}
    check = ["sha256sum", "--check", "--strict", "--quiet", sums]
    subprocess.run(check, cwd=added, check=True)
    content = json.loads((added / manifest).read_text())
    assert content["version"] == version
    assert [asset["name"] for asset in content["assets"]] == [bundle]
    assets.must_be_signed(added / sums, plan.public_key, version)


def test_an_addition_is_signed_and_uploaded_by_one_command(
    artifacts: Path,
    github: GitHub,
    tree: Path,
    key: SecretKey,
    version: str,
    tmp_path: Path,
) -> None:
    github.create(f"v{version}", draft=False)
    secret = {
        "LEANSPEC_SIGNING_KEY": without_password(key),
        "LEANSPEC_SIGNING_PASSWORD": PASSWORD,
    }
    variables = github.environment() | secret
    env = clean(tmp_path / "home", **variables, PYTHONPATH=str(tree))
    out = tmp_path / "out"
    command = [*OWN_COMMAND, "assets", "--add", "desktop", "--out", str(out)]
    run([*command, artifacts], env, cwd=tree)
    run([*command, "--sign", "--upload"], env, cwd=tree)
    assert set(github.assets(f"v{version}")) == names(out)
    assert github.releases[0]["body"] == "", "an addition has no notes"


def test_an_addition_has_a_provenance_of_its_own(
    added: Path, plan: Plan, version: str, tmp_path: Path
) -> None:
    provenance = write_provenance_bundle(tmp_path, added / "SHA256SUMS.desktop")
    files = verified(added, plan, provenance, LATER)
    assert added / f"leanspec-{version}-desktop.intoto.jsonl" in files
    assert verified(added, plan, None, LATER)


@pytest.mark.parametrize("state", ["nothing", "a draft"])
def test_addition_to_a_release_that_is_not_out_is_refused(
    upload: AssetsCommand, github: GitHub, added: Path, version: str, state: str
) -> None:
    if state == "a draft":
        github.create(f"v{version}", draft=True)
    process = upload("--add", "desktop", folder=added)
    assert process.returncode == 1
    assert f"no release `v{version}` is out on GitHub" in process.stderr
    assert not any(release["assets"] for release in github.releases)


def test_addition_to_an_immutable_release_is_refused(
    upload: AssetsCommand,
    publish: AssetsCommand,
    github: GitHub,
    few: Path,
    added: Path,
    version: str,
) -> None:
    assert upload().returncode == publish().returncode == 0
    github.releases[0]["immutable"] = True
    process = upload("--add", "desktop", folder=added)
    assert process.returncode == 1
    words = f"the release `v{version}` on GitHub is immutable, nothing was uploaded"
    assert words in process.stderr
    assert "`SHA256SUMS.desktop` is not in it" in process.stderr
    assert "hint: no file can be added to it" in process.stderr
    assert set(github.assets(f"v{version}")) == names(few)
    assert upload().returncode == 0, "nothing is missing"


def test_addition_needs_a_desktop_bundle(
    spoiled: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    shutil.rmtree(spoiled / "desktop-linux-x64")
    out = tmp_path / "out"
    with pytest.raises(CommandError, match="contains no desktop bundle"):
        assemble_addition(spoiled, out, plan, LATER, tree)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["minisig", "A", "a/b", "a.json", "-a"])
def test_assets_add_refuses_an_invalid_name(upload: AssetsCommand, name: str) -> None:
    process = upload(f"--add={name}")
    assert process.returncode == 2
    assert "invalid value for `--add`" in process.stderr
