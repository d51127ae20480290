"""A GitHub release of real binaries, as its users unpack, start, verify and fetch it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from minisign import SecretKey

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.fetch import entries, manifest
from leanspec_launcher.protocol import handshake
from leanspec_launcher.tools import digest as digest_of_tools
from scripts.collect.reported import list_tools
from scripts.github.archives import write_zip
from scripts.github.assemble import assemble
from scripts.github.assembled import sign_assembled
from scripts.github.listing import Listing
from scripts.model.plan import Plan
from scripts.tools.processes import clean_environment
from tests.support.assets import LISTS, must_be_signed
from tests.support.github import names
from tests.support.site import HOST
from tests.support.surroundings import clean, run


def test_assets_writes_everything_that_a_release_carries(
    real_assets: Path, version: str, binaries: Path
) -> None:
    present = names(real_assets)
    base = f"leanspec-{version}-linux-x64"
    programs = ("leanspec", "leanspec-mcp", "leanspec-http")
    bills = {f"{base}-{program}.cdx.json" for program in programs}
    lists = {"SHA256SUMS", "SHA256SUMS.minisig", "release.json", "release.json.minisig"}
    bundles = {
        f"leanspec-desktop-{version}-linux-x64.deb",
        f"leanspec-mcp-{version}-linux-x64.mcpb",
    }
    of_index = {name for name in present if name.endswith((".whl", f"-{version}.tar.gz"))}
    assert len(of_index) == 10, "nine wheels, and the source distribution"
    assert present - of_index == bills | lists | bundles | {f"{base}.tar.gz"}
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=real_assets, check=True)
    manifest = json.loads((real_assets / "release.json").read_text())
    assert {asset["name"] for asset in manifest["assets"]} | lists == present
    assert all("npm" in reason for reason in manifest["missing"].values())
    (archive,) = [asset for asset in manifest["assets"] if asset["kind"] == "archive"]
    facts = archive["facts"]["binaries"]["leanspec"]
    binary = next((binaries / "cli").rglob("leanspec"))
    assert facts["sha256"] == hashlib.sha256(binary.read_bytes()).hexdigest()
    assert "libssl.so.3" in facts["needed"]
    tools = manifest["tools"]["markdown"]
    assert tools["sha256"] == digest_of_tools(tools["tools"])
    assert {"list_specs", "create_spec"} <= set(tools["tools"])
    notes = (real_assets / "RELEASE_NOTES.md").read_text()
    assert "Not in this release" in notes
    assert "- web UI: npm has no newer pages" in notes


def test_an_archive_unpacks_to_programs_that_run(
    real_assets: Path, tmp_path: Path, version: str
) -> None:
    run(
        ["tar", "-xzf", real_assets / f"leanspec-{version}-linux-x64.tar.gz"],
        clean(tmp_path / "home"),
        cwd=tmp_path,
    )
    folder = tmp_path / f"leanspec-{version}-linux-x64"
    actual = run([folder / "leanspec", "--version"], clean(tmp_path / "home")).stdout
    assert actual == f"lean-spec {version}\n"
    assert {path.name for path in folder.iterdir()} == {
        "leanspec", "leanspec-mcp", "leanspec-http", "LICENSE", "OpenSSL-LICENSE.txt", "README.md"
    }  # fmt: skip


def test_an_archive_keeps_nothing_of_the_machine(real_assets: Path, version: str) -> None:
    with tarfile.open(real_assets / f"leanspec-{version}-linux-x64.tar.gz") as archive:
        assert {
            (entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime)
            for entry in archive
        } == {(0, 0, "", "", 315532800)}


@pytest.mark.parametrize("mode", [None, 0o600])
def test_mcp_bundle_starts_the_server_in_the_chosen_folder(
    mode: int | None, real_assets: Path, tmp_path: Path, version: str
) -> None:
    """Started as a desktop client does it: no environment, in `/`; Claude Desktop for macOS loses the modes."""
    extension, project = tmp_path / "an extension's é", tmp_path / "a project's $HOME"
    spec = project / "specs/001-first/README.md"
    spec.parent.mkdir(parents=True)
    spec.write_text("---\nstatus: planned\ncreated: 2026-01-01\n---\n\n# First\n")
    with zipfile.ZipFile(real_assets / f"leanspec-mcp-{version}-linux-x64.mcpb") as bundle:
        for entry in bundle.infolist():
            bundle.extract(entry, extension)
            (extension / entry.filename).chmod(mode or entry.external_attr >> 16)
    manifest = json.loads((extension / "manifest.json").read_text())
    config = manifest["server"]["mcp_config"]
    values = {"${__dirname}": str(extension), "${user_config.project}": str(project)}
    command = [config["command"], *config["args"]]
    for name, value in values.items():
        command = [word.replace(name, value) for word in command]
    announced = list_tools(command, Path("/"), {})
    assert announced.version == manifest["version"] == version
    names = [tool["name"] for tool in announced.tools]
    assert [tool["name"] for tool in manifest["tools"]] == names
    assert (extension / manifest["server"]["entry_point"]).stat().st_mode & 0o111
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "list_specs", "arguments": {}},
    }
    text = f"{json.dumps(handshake())}\n{json.dumps(call)}\n"
    process = subprocess.run(
        command, env={}, cwd="/", input=text, capture_output=True, text=True, check=True
    )
    assert "001-first" in process.stdout


@pytest.mark.slow
@pytest.mark.network
def test_mcp_bundle_is_valid_for_the_official_tool(
    real_assets: Path, tmp_path: Path, version: str
) -> None:
    env = clean_environment()
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path)]
    run([*npm, "@anthropic-ai/mcpb@2.1.2"], env)
    mcpb = tmp_path / "node_modules/.bin/mcpb"
    bundle = real_assets / f"leanspec-mcp-{version}-linux-x64.mcpb"
    run([mcpb, "unpack", bundle, tmp_path / "out"], env)
    output = run([mcpb, "validate", tmp_path / "out/manifest.json"], env).stdout
    assert "validation passes" in output
    assert bundle.name in run([mcpb, "info", bundle], env).stdout


def test_a_zip_keeps_the_run_bit(tmp_path: Path) -> None:
    write_zip(
        tmp_path / "x.zip", "root", {"program": (b"1", 0o755), "README.md": (b"2", 0o644)}
    )
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        actual = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert actual == {"root/README.md": 0o100644, "root/program": 0o100755}


def test_assets_of_the_same_artifacts_are_the_same_bytes(
    assets: Path, artifacts: Path, plan: Plan, key: SecretKey, tree: Path, tmp_path: Path
) -> None:
    """Signatures included: so that an upload can be continued on another machine."""
    assemble(artifacts, tmp_path / "again", plan, tree)
    sign_assembled(tmp_path / "again", plan, key, Listing(), tree)
    for path in assets.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_minisign_verifies_both_lists(real_assets: Path, plan: Plan) -> None:
    for name in LISTS:
        must_be_signed(real_assets / name, plan.public_key, plan.version)


@pytest.mark.posix
def test_fetch_of_another_release_accepts_signed_assets(
    assets: Path, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `assets` signs is what `fetch --version` accepts."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(manifest, "KEYS", (plan.public_key,))
    for name in ("cli", "mcp"):
        program, store = PROGRAMS[name], entries.store_folder()
        wheel = manifest.wheel_of(str(plan.version), program, HOST, str(assets), store)
        request = entries.WheelRequest(wheel, program, HOST, str(assets))
        entry = entries.fetch(request, print)
        assert os.access(entry.binary, os.X_OK)
        assert entry.name in {path.name for path in assets.iterdir()}
    damaged = tmp_path / "damaged"
    shutil.copytree(assets, damaged)
    text = (damaged / "release.json").read_text().replace('"size": ', '"size":  ', 1)
    (damaged / "release.json").write_text(text)
    with pytest.raises(CommandError, match="does not match its content"):
        manifest.wheel_of(
            str(plan.version), PROGRAMS["cli"], HOST, str(damaged), entries.store_folder()
        )
