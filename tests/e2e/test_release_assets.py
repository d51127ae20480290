"""From artifacts to a GitHub release: real binaries, wheels and bundles; `gh` against a GitHub on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from minisign import KeyPair, SecretKey
from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.fetch import entries, manifest
from leanspec_launcher.protocol import handshake
from leanspec_launcher.tools import digest as digest_of_tools
from scripts.collect.bundles import read_bundle, write_checksum
from scripts.github.addition import assemble_addition
from scripts.github.archives import write_zip
from scripts.github.assemble import assemble
from scripts.github.assembled import (
    fingerprint,
    must_be_as_checked,
    sign_assembled,
    verified,
)
from scripts.github.desktop import copy_bundles, missing_bundles, read_bundles
from scripts.github.listing import Listing
from scripts.github.upload import publish_release, upload_release
from scripts.model.plan import Plan, read_plan
from scripts.tools.mcp_session import list_tools
from scripts.tools.processes import OWN_COMMAND, clean_environment
from tests.support.desktop import make_deb, make_installer, write_image
from tests.support.github import GitHub, names, serving, write_assets
from tests.support.keys import OF_ANOTHER_PASSWORD, without_password
from tests.support.preconditions import require
from tests.support.releases import write_tagged_tree
from tests.support.site import HOST
from tests.support.surroundings import clean, once, run
from tests.support.versions import RELEASED

LATER = Listing("desktop")
LISTS = ("SHA256SUMS", "release.json")
PASSWORD = "a password of a test"  # noqa: S105 - of a key that signs nothing


@pytest.fixture(scope="session")
def key(shared: Path) -> SecretKey:
    def make(folder: Path) -> None:
        key = KeyPair.generate().secret_key
        (folder / "key").write_text(without_password(key))

    text = (once(shared / "signing-key", make) / "key").read_text()
    return SecretKey.from_bytes(text.encode().strip())


def lay_out(folder: Path, binaries: Path, dist: Path, version: str) -> None:
    """Lay out the artifacts of a run as GitHub's actions leave them: no file has a run bit."""
    shutil.copytree(binaries, folder / "binaries-linux-x64")
    shutil.copytree(dist, folder / "dist")
    program = next((binaries / "cli").rglob("leanspec")).read_bytes()
    place = folder / "desktop-linux-x64"
    place.mkdir()
    bundle = make_deb(place / f"LeanSpec_{version}_amd64.deb", version, "amd64", program)
    write_checksum(bundle)
    shutil.rmtree(place / f"{bundle.name}.tree")
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)


@pytest.fixture(scope="session")
def real_artifacts(shared: Path, binaries: Path, grafted: Path, version: str) -> Path:
    """Return the artifacts of a run with the real programs."""
    place = shared / "real-artifacts"
    return once(place, lambda folder: lay_out(folder, binaries, grafted, version))


@pytest.fixture(scope="session")
def artifacts(shared: Path, stand_in: Path, version: str) -> Path:
    """Return the artifacts of a run with small programs."""
    binaries, dist = stand_in / "binaries", stand_in / "dist"
    return once(
        shared / "artifacts", lambda folder: lay_out(folder, binaries, dist, version)
    )


@pytest.fixture(scope="session")
def tree(shared: Path, released_tree: Path, key: SecretKey) -> Path:
    """Return a copy of the project on its tag, which states a key and expects a desktop bundle."""
    public = key.get_public_key()
    return once(
        shared / "tagged-tree",
        lambda folder: write_tagged_tree(folder, released_tree, public),
    )


@pytest.fixture(scope="session")
def plan(tree: Path) -> Plan:
    return read_plan(tree)


@pytest.fixture(scope="session")
def assets(shared: Path, artifacts: Path, plan: Plan, key: SecretKey, tree: Path) -> Path:
    """Return the folder of a release of small programs."""

    def make(folder: Path) -> None:
        assemble(artifacts, folder, plan, tree)
        sign_assembled(folder, plan, key, Listing(), tree)

    return once(shared / "assets", make)


@pytest.fixture(scope="session")
def real_assets(
    shared: Path, real_artifacts: Path, plan: Plan, key: SecretKey, tree: Path
) -> Path:
    """Return the folder of a release of the real programs."""

    def make(folder: Path) -> None:
        assemble(real_artifacts, folder, plan, tree)
        sign_assembled(folder, plan, key, Listing(), tree)

    return once(shared / "real-assets", make)


@pytest.fixture
def spoiled(tmp_path: Path, artifacts: Path) -> Path:
    """Return a copy of the artifacts, to be spoiled."""
    return Path(shutil.copytree(artifacts, tmp_path / "artifacts"))


def test_a_folder_holds_what_a_release_carries(
    real_assets: Path, version: str, binaries: Path
) -> None:
    found = names(real_assets)
    base = f"leanspec-{version}-linux-x64"
    bills = {
        f"{base}-{program}.cdx.json"
        for program in ("leanspec", "leanspec-mcp", "leanspec-http")
    }
    stated = {"SHA256SUMS", "SHA256SUMS.minisig", "release.json", "release.json.minisig"}
    desktop = f"leanspec-desktop-{version}-linux-x64.deb"
    assert found - {
        name for name in found if name.endswith((".whl", f"{version}.tar.gz"))
    } == {
        *bills,
        *stated,
        desktop,
        f"{base}.tar.gz",
        f"leanspec-mcp-{version}-linux-x64.mcpb",
    }
    assert len([name for name in found if name.endswith(".whl")]) == 9
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=real_assets,
        check=True,
    )
    manifest = json.loads((real_assets / "release.json").read_text())
    assert {each["name"] for each in manifest["assets"]} | stated == found
    assert all("npm" in reason for reason in manifest["missing"].values())
    facts = next(each for each in manifest["assets"] if each["kind"] == "archive")["facts"][
        "binaries"
    ]["leanspec"]
    assert (
        facts["sha256"]
        == hashlib.sha256(
            next((binaries / "cli").rglob("leanspec")).read_bytes()
        ).hexdigest()
    )
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
    assert (
        run([folder / "leanspec", "--version"], clean(tmp_path / "home")).stdout
        == f"lean-spec {version}\n"
    )
    assert {path.name for path in folder.iterdir()} == {
        "leanspec", "leanspec-mcp", "leanspec-http", "LICENSE", "OpenSSL-LICENSE.txt", "README.md"
    }  # fmt: skip


@pytest.mark.parametrize("mode", [None, 0o600])
def test_a_bundle_starts_the_server_in_the_chosen_folder(
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
    told = manifest["server"]["mcp_config"]
    values = {"${__dirname}": str(extension), "${user_config.project}": str(project)}
    command = [told["command"], *told["args"]]
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
    done = subprocess.run(
        command, env={}, cwd="/", input=text, capture_output=True, text=True, check=True
    )
    assert "001-first" in done.stdout


@pytest.mark.slow
@pytest.mark.network
def test_the_official_tool_takes_the_bundle(
    real_assets: Path, tmp_path: Path, version: str
) -> None:
    env = clean_environment()
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path)]
    run([*npm, "@anthropic-ai/mcpb@2.1.2"], env)
    mcpb = tmp_path / "node_modules/.bin/mcpb"
    bundle = real_assets / f"leanspec-mcp-{version}-linux-x64.mcpb"
    run([mcpb, "unpack", bundle, tmp_path / "out"], env)
    said = run([mcpb, "validate", tmp_path / "out/manifest.json"], env).stdout
    assert "validation passes" in said
    assert bundle.name in run([mcpb, "info", bundle], env).stdout


def test_a_zip_keeps_the_run_bit(tmp_path: Path) -> None:
    write_zip(
        tmp_path / "x.zip", "root", {"program": (b"1", 0o755), "README.md": (b"2", 0o644)}
    )
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert {each.filename: each.external_attr >> 16 for each in archive.infolist()} == {
            "root/README.md": 0o100644,
            "root/program": 0o100755,
        }


def test_the_same_artifacts_make_the_same_bytes(
    assets: Path, artifacts: Path, plan: Plan, key: SecretKey, tree: Path, tmp_path: Path
) -> None:
    """Signatures included: so that an upload can be continued on another machine."""
    assemble(artifacts, tmp_path / "again", plan, tree)
    sign_assembled(tmp_path / "again", plan, key, Listing(), tree)
    for path in assets.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_minisign_checks_what_is_signed(real_assets: Path, plan: Plan) -> None:
    require("minisign program")
    for name in ("SHA256SUMS", "release.json"):
        done = subprocess.run(
            ["minisign", "-V", "-P", plan.public_key, "-m", real_assets / name],
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"file:{name}\tversion:{plan.version}\tplatform:any" in done.stdout


@pytest.mark.posix
def test_the_launcher_of_another_release_fetches_from_it(
    assets: Path, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `assets` signs is what `fetch --version` accepts."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(manifest, "KEYS", (plan.public_key,))
    for name in ("cli", "mcp"):
        program, store = PROGRAMS[name], entries.store_folder()
        wheel = manifest.wheel_of(str(plan.version), program, HOST, str(assets), store)
        wanted = entries.WheelRequest(wheel, program, HOST, str(assets))
        entry = entries.fetch(wanted, print)
        assert os.access(entry.binary, os.X_OK)
        assert entry.name in {path.name for path in assets.iterdir()}
    damaged = tmp_path / "damaged"
    shutil.copytree(assets, damaged)
    text = (damaged / "release.json").read_text().replace('"size": ', '"size":  ', 1)
    (damaged / "release.json").write_text(text)
    with pytest.raises(CommandError, match="is not what this key signed"):
        manifest.wheel_of(
            str(plan.version), PROGRAMS["cli"], HOST, str(damaged), entries.store_folder()
        )


def test_a_bundle_is_recognized_by_its_name_and_first_bytes(tmp_path: Path) -> None:
    """Names are Tauri's."""
    for name, key in (("amd64", "linux-x64"), ("arm64", "linux-arm64")):
        make_deb(tmp_path / f"LeanSpec_1.2.3_{name}.deb", "1.2.3", name, b"program")
        must_be_read(tmp_path / f"LeanSpec_1.2.3_{name}.deb", key)
    for name, key in (("x64", "windows-x64"), ("arm64", "windows-arm64")):
        must_be_read(make_installer(tmp_path / f"LeanSpec_1.2.3_{name}-setup.exe"), key)
    for name, key in (("x64", "darwin-x64"), ("aarch64", "darwin-arm64")):
        must_be_read(write_image(tmp_path / f"Lean Spec_1.2.3_{name}.dmg"), key)


def must_be_read(path: Path, key: str) -> None:
    bundle = read_bundle(path, PLATFORMS[key])
    assert (bundle.version, bundle.label, bundle.platforms) == ("1.2.3", key, (key,))
    others = [
        other for other in PLATFORMS if other.split("-")[0] == key.split("-", maxsplit=1)[0]
    ]
    for other in set(others) - {key}:
        with pytest.raises(CommandError, match="is for the CPU"):
            read_bundle(path, PLATFORMS[other])
    for size in (0, 1, 15, 600):
        path.write_bytes(path.read_bytes()[1 : 1 + size])
        with pytest.raises(CommandError, match="is not a complete"):
            read_bundle(path, PLATFORMS[key])


def test_a_universal_disk_image_is_for_both_platforms_of_macos(
    plan: Plan, tmp_path: Path
) -> None:
    name = f"LeanSpec_{RELEASED}_universal.dmg"
    image = write_image(tmp_path / "desktop-darwin-arm64" / name)
    write_checksum(image)
    both = ("darwin-x64", "darwin-arm64")
    expected = replace(plan, bundles=(*both, "linux-arm64"))
    bundles = read_bundles(tmp_path, expected, only_planned=True)
    assert [bundle.platforms for bundle in bundles] == [both]
    assert missing_bundles(bundles, expected) == ["linux-arm64"]
    (asset,) = copy_bundles(bundles, tmp_path, expected)
    assert asset.name == f"leanspec-desktop-{RELEASED}-darwin-universal.dmg"
    assert asset.platform == "darwin-universal"
    second = write_image(tmp_path / "desktop-darwin-x64" / f"LeanSpec_{RELEASED}_x64.dmg")
    write_checksum(second)
    with pytest.raises(CommandError, match="a second desktop bundle for `darwin-x64`"):
        read_bundles(tmp_path, expected, only_planned=True)


def test_one_machine_builds_the_disk_image_for_both_platforms(
    tree: Path, tmp_path: Path
) -> None:
    expected = '["darwin-x64", "darwin-arm64", "linux-arm64"]'
    text = (tree / "pyproject.toml").read_text("utf-8")
    old = 'platforms = ["linux-x64"]\n# "'
    assert old in text
    text = text.replace(old, f'platforms = {expected}\n# "')
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    stated = read_plan(tmp_path)
    assert stated.bundles == ("darwin-x64", "darwin-arm64", "linux-arm64")
    assert stated.desktop == ("darwin-arm64", "linux-arm64")


def linux_bundle(folder: Path) -> Path:
    (path,) = (folder / "desktop-linux-x64").glob("*.deb")
    return path


def renamed(name: str) -> Callable[[Path], None]:
    """Return what gives the Debian package another name."""

    def rename(folder: Path) -> None:
        path = linux_bundle(folder)
        path.rename(path.with_name(name))

    return rename


def other_format(folder: Path) -> None:
    linux_bundle(folder).write_bytes(b"MZ" + bytes(600))


def truncated(folder: Path) -> None:
    path = linux_bundle(folder)
    path.write_bytes(path.read_bytes()[:-1])


def no_checksum(folder: Path) -> None:
    path = linux_bundle(folder)
    path.with_name(f"{path.name}.sha256").unlink()


def twice(folder: Path) -> None:
    path = linux_bundle(folder)
    other = path.with_name(f"Other_{RELEASED}_amd64.deb")
    shutil.copy(path, other)
    write_checksum(other)


def another_platform(folder: Path) -> None:
    (folder / "desktop-windows-x64").mkdir()
    (folder / "desktop-windows-x64/x.exe").touch()


def text_for_a_bundle(folder: Path) -> None:
    (folder / "desktop-linux-x64/bundle.dmg").write_text("no bundle")


def no_wheels(folder: Path) -> None:
    shutil.rmtree(folder / "dist")


def a_wheel_less(folder: Path) -> None:
    next((folder / "dist").glob("leanspec_mcp_bin-*-any.whl")).unlink()


def other_binary(folder: Path) -> None:
    place = next((folder / "binaries-linux-x64/http").rglob("leanspec-http"))
    data = place.read_bytes() + b"\0"
    place.write_bytes(data)
    record = json.loads((place.parent / "binary.json").read_text())
    record |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (place.parent / "binary.json").write_text(json.dumps(record))


def other_cargo_version(folder: Path) -> None:
    for path in folder.rglob("binary.json"):
        path.write_text(
            path.read_text().replace(f'"version": "{RELEASED}"', '"version": "0.2.9"')
        )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (renamed(f"x_{RELEASED}_arm64.deb"), "CPU `arm64`, expected `linux-x64`"),
        (renamed("x_0.2.9_amd64.deb"), f"is of version `0.2.9`, the release is {RELEASED}"),
        (renamed("x.deb"), "does not have the name of a Debian package by Tauri"),
        (other_format, "is not a complete Debian package"),
        (truncated, "does not have the sha256 of its `LeanSpec_.*.sha256`"),
        (no_checksum, "sha256` is missing"),
        (twice, "is a second desktop bundle for `linux-x64`"),
        (another_platform, "and the plan has none"),
        (text_for_a_bundle, "does not have the name of a Debian package by Tauri"),
        (no_wheels, "the wheels are missing"),
        (a_wheel_less, "expected in the release, found missing"),
        (lambda folder: (folder / "notes").mkdir(), "is not an artifact of a release"),
        (other_binary, "has the binary with the sha256 .*, the artifact is"),
        (other_cargo_version, f"is of version `0.2.9`, the release is {RELEASED}"),
    ],
)
def test_bad_artifacts_make_nothing(
    spoil: Callable[[Path], None],
    words: str,
    spoiled: Path,
    plan: Plan,
    tmp_path: Path,
    tree: Path,
) -> None:
    spoil(spoiled)
    out = tmp_path / "out"
    with pytest.raises(CommandError, match=words) as error:
        assemble(spoiled, out, plan, tree)
    assert error.value.hint
    assert not out.exists() or list(out.iterdir()) == []


def test_a_release_goes_without_a_desktop_bundle_that_is_missing(
    spoiled: Path,
    plan: Plan,
    tree: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.rmtree(spoiled / "desktop-linux-x64")
    out = tmp_path / "out"
    assemble(spoiled, out, plan, tree)
    assert not list(out.glob("leanspec-desktop-*"))
    assert json.loads((out / "release.json").read_text())["missing_desktop"] == [
        "linux-x64"
    ]
    notes = (out / "RELEASE_NOTES.md").read_text()
    assert "(`linux-x64`): no bundle was built; it can be added later" in notes
    shown = capsys.readouterr().err
    assert "warning: the desktop bundles for `linux-x64` are missing" in shown
    assert "`python3 -m scripts assets DIR --add NAME`" in shown


def test_assets_sign_refuses_a_key_that_the_plan_does_not_state(
    few: Path, plan: Plan, tree: Path
) -> None:
    for name in LISTS:
        (few / f"{name}.minisig").unlink()
    stranger = KeyPair.generate().secret_key
    with pytest.raises(CommandError, match="the secret key is of"):
        sign_assembled(few, plan, stranger, Listing(), tree)
    with pytest.raises(CommandError, match="nobody could check a signature"):
        sign_assembled(few, replace(plan, public_key=""), stranger, Listing(), tree)
    assert not list(few.glob("*.minisig"))


def test_assets_refuses_what_check_did_not_assemble(few: Path, plan: Plan) -> None:
    checked = fingerprint(few)
    must_be_as_checked(few, plan, checked)
    with pytest.raises(CommandError, match="that of what was checked is 0000"):
        must_be_as_checked(few, plan, "0" * 64)
    (few / "RELEASE_NOTES.md").write_text("other notes\n")
    with pytest.raises(CommandError, match=f"that of what was checked is {checked}"):
        must_be_as_checked(few, plan, checked)


def test_assets_sign_refuses_a_folder_that_was_changed(
    few: Path, plan: Plan, key: SecretKey, tree: Path
) -> None:
    another_byte(few)
    with pytest.raises(CommandError, match=r"linux-x64\.tar\.gz` is "):
        sign_assembled(few, plan, key, Listing(), tree)


def test_a_strangers_folder_is_left_alone(
    artifacts: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match=r"holds `mine\.txt`"):
        assemble(artifacts, tmp_path, plan, tree)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "manifest", ["{}", "[]", "no JSON", '{"assets": [{"name": "ours.whl"}]}']
)
def test_another_release_json_makes_no_folder_ours(
    manifest: str, artifacts: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    """What is there next to would be taken away."""
    (tmp_path / "release.json").write_text(manifest)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match="which this command did not make"):
        assemble(artifacts, tmp_path, plan, tree)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.fixture
def github(version: str) -> Iterator[GitHub]:
    require("gh")
    with serving(GitHub(tags={f"v{version}"})) as server:
        yield server


@pytest.fixture
def few(tmp_path: Path, version: str, key: SecretKey) -> Path:
    """Return the folder of a release of one archive, to be uploaded or spoiled."""
    return write_assets(tmp_path / "few", version, key)


@pytest.fixture
def upload(
    few: Path, tree: Path, github: GitHub, tmp_path: Path
) -> Callable[..., CompletedProcess[str]]:
    """Return `assets --upload` of a few assets, in the copy, as a maintainer runs it."""

    def call(
        *arguments: str | Path,
        folder: Path = few,
        mode: str = "--upload",
        **settings: str,
    ) -> CompletedProcess[str]:
        variables = github.environment() | settings
        env = clean(tmp_path / "home", **variables, PYTHONPATH=str(tree))
        command = [*OWN_COMMAND, "assets", mode, "--out", folder, *arguments]
        return run(command, env, cwd=tree, code=None)

    return call


@pytest.fixture
def publish(
    upload: Callable[..., CompletedProcess[str]],
) -> Callable[..., CompletedProcess[str]]:
    """Return `assets --publish`, in the same way."""
    return partial(upload, mode="--publish")


def test_assets_fill_a_draft_and_publish_it(
    upload: Callable[..., CompletedProcess[str]],
    publish: Callable[..., CompletedProcess[str]],
    github: GitHub,
    few: Path,
    version: str,
) -> None:
    github.cut_after = 2
    cut = upload()
    assert cut.returncode == 1
    assert "error: `gh release upload`" in cut.stderr
    assert "hint: run the same command again" in cut.stderr
    assert "Traceback" not in cut.stderr
    assert github.releases[0]["draft"], "nobody has seen a part of it"
    github.asked.clear()
    assert upload("--dry-run").returncode == 0
    assert not [request for request in github.asked if not request.startswith("GET")], (
        "a dry run removes nothing"
    )
    github.cut_after = None
    again = upload()
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("there already") == 2
    assert github.releases[0]["draft"], "it is published after the last upload to the index"
    assert github.assets(f"v{version}") == {
        name: (few / name).read_bytes() for name in names(few)
    }
    github.asked.clear()
    third = upload()
    assert third.returncode == 0
    assert "to be uploaded" not in third.stderr
    no_changes(github)
    published = publish()
    assert published.returncode == 0, published.stderr
    assert published.stdout == f"{github.releases[0]['html_url']}\n"
    assert not github.releases[0]["draft"]
    assert not github.releases[0]["prerelease"]
    github.asked.clear()
    assert publish().returncode == 0
    assert upload().returncode == 0
    no_changes(github)


def no_changes(github: GitHub) -> None:
    """Check that GitHub was only asked, and forget the requests."""
    changes = ("POST /repos", "PATCH", "DELETE")
    assert not [request for request in github.asked if request.startswith(changes)]


def test_assets_downloads_what_github_states_no_digest_of(
    upload: Callable[..., CompletedProcess[str]],
    github: GitHub,
    few: Path,
    version: str,
) -> None:
    github.states_digests = False
    release = github.create(f"v{version}", draft=False, notes="notes")
    for name in names(few) - {"release.json"}:
        github.add(release, name, (few / name).read_bytes())
    github.add(release, "release.json", b"other")
    process = upload()
    assert process.returncode == 1
    assert "`release.json`: sha256 `" in process.stderr
    assert process.stderr.count(": sha256 `") == 1, "the others are the same"
    downloads = [request for request in github.asked if "/assets/" in request]
    assert len(downloads) == len(names(few))


@pytest.mark.parametrize("notes", ["", " \n", "of a person"])
def test_assets_fill_a_draft_that_a_person_made(
    upload: Callable[..., CompletedProcess[str]],
    github: GitHub,
    few: Path,
    version: str,
    notes: str,
) -> None:
    github.create(f"v{version}", draft=True, notes=notes)
    process = upload()
    assert process.returncode == 0, process.stderr
    assert github.releases[0]["body"] == (
        (notes.strip() and notes) or (few / "RELEASE_NOTES.md").read_text()
    )
    assert set(github.assets(f"v{version}")) == names(few)
    assert len(github.releases) == 1


def test_assets_upload_refuses_a_release_that_is_out_and_lacks_files(
    upload: Callable[..., CompletedProcess[str]], github: GitHub, version: str
) -> None:
    github.create(f"v{version}", draft=False)
    process = upload()
    assert process.returncode == 1
    assert f"error: the release `v{version}` is out on GitHub, and `" in process.stderr
    assert f"hint: if nobody relies on it: `gh release delete v{version}`" in process.stderr
    no_changes(github)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stray.whl", "`stray.whl` is not of this release"),
        ("SHA256SUMS", "`SHA256SUMS`: sha256"),
    ],
)
def test_assets_refuse_a_draft_with_another_file(
    upload: Callable[..., CompletedProcess[str]],
    publish: Callable[..., CompletedProcess[str]],
    github: GitHub,
    version: str,
    name: str,
    words: str,
) -> None:
    draft = github.create(f"v{version}", draft=True, notes="notes")
    if name == "stray.whl":
        assert upload().returncode == 0
    github.add(draft, name, b"other")
    github.asked.clear()
    for command in (upload, publish):
        process = command()
        assert process.returncode == 1
        assert (
            f"error: the draft of `v{version}` on GitHub has other files" in process.stderr
        )
        assert words in process.stderr
        assert f"hint: delete it, `gh release delete v{version}`" in process.stderr
    no_changes(github)


def test_assets_publish_refuses_a_draft_that_is_not_complete(
    publish: Callable[..., CompletedProcess[str]], github: GitHub, few: Path, version: str
) -> None:
    process = publish()
    assert process.returncode == 1
    count = len(names(few))
    assert f"`v{version}` on GitHub lacks {count} of {count} files" in process.stderr
    assert "`python3 -m scripts assets --upload`" in process.stderr
    no_changes(github)


def test_assets_of_a_candidate_are_a_prerelease_and_not_the_latest(
    github: GitHub, few: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in github.environment().items():
        monkeypatch.setenv(name, value)
    candidate = replace(plan, version=Version("9.9.9rc1"))
    github.tags.add("v9.9.9rc1")
    files, notes = verified(few, plan, None, Listing()), few / "RELEASE_NOTES.md"
    upload_release("gh", files, candidate, notes, dry_run=False)
    publish_release("gh", files, candidate)
    release = github.releases[0]
    assert (release["draft"], release["prerelease"]) == (False, True)
    assert release["make_latest"] == "false"


@pytest.fixture
def added(tmp_path: Path, artifacts: Path, plan: Plan, key: SecretKey, tree: Path) -> Path:
    """Return the folder of a desktop bundle that comes later."""
    folder = tmp_path / "added"
    assemble_addition(artifacts, folder, plan, LATER, tree)
    sign_assembled(folder, plan, key, LATER, tree)
    return folder


def test_a_desktop_bundle_is_added_to_a_release_that_is_out(
    upload: Callable[..., CompletedProcess[str]],
    publish: Callable[..., CompletedProcess[str]],
    github: GitHub,
    added: Path,
    version: str,
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
    sums, stated = "SHA256SUMS.desktop", "release.desktop.json"
    signatures = {f"{sums}.minisig", f"{stated}.minisig"}
    assert names(added) == {bundle, sums, stated, *signatures}
    check = ["sha256sum", "--check", "--strict", "--quiet", sums]
    subprocess.run(check, cwd=added, check=True)
    content = json.loads((added / stated).read_text())
    assert content["version"] == version
    assert [asset["name"] for asset in content["assets"]] == [bundle]
    require("minisign program")
    command = ["minisign", "-V", "-P", plan.public_key, "-m", str(added / sums)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"file:{sums}\tversion:{version}\tplatform:any" in process.stdout


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
    provenance = bundle(tmp_path, added / "SHA256SUMS.desktop")
    files = verified(added, plan, provenance, LATER)
    assert added / f"leanspec-{version}-desktop.intoto.jsonl" in files
    assert verified(added, plan, None, LATER)


@pytest.mark.parametrize("state", ["nothing", "a draft"])
def test_a_release_that_is_not_out_takes_no_addition(
    upload: Callable[..., CompletedProcess[str]],
    github: GitHub,
    added: Path,
    version: str,
    state: str,
) -> None:
    if state == "a draft":
        github.create(f"v{version}", draft=True)
    process = upload("--add", "desktop", folder=added)
    assert process.returncode == 1
    assert f"no release `v{version}` is out on GitHub" in process.stderr
    assert not any(release["assets"] for release in github.releases)


def test_an_immutable_release_takes_no_file(
    upload: Callable[..., CompletedProcess[str]],
    publish: Callable[..., CompletedProcess[str]],
    github: GitHub,
    few: Path,
    added: Path,
    version: str,
) -> None:
    assert upload().returncode == publish().returncode == 0
    github.releases[0]["immutable"] = True
    process = upload("--add", "desktop", folder=added)
    assert process.returncode == 1
    assert f"the release `v{version}` on GitHub is immutable, nothing was uploaded" in (
        process.stderr
    )
    assert "`SHA256SUMS.desktop` is not in it" in process.stderr
    assert "hint: no file can be added to it" in process.stderr
    assert set(github.assets(f"v{version}")) == names(few)
    assert upload().returncode == 0, "nothing is missing"


def test_artifacts_without_a_desktop_bundle_make_no_addition(
    spoiled: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    shutil.rmtree(spoiled / "desktop-linux-x64")
    out = tmp_path / "out"
    with pytest.raises(CommandError, match="contains no desktop bundle"):
        assemble_addition(spoiled, out, plan, LATER, tree)
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["minisig", "A", "a/b", "a.json", "-a"])
def test_assets_add_refuses_a_name_that_is_none(
    upload: Callable[..., CompletedProcess[str]], name: str
) -> None:
    process = upload(f"--add={name}")
    assert process.returncode == 2
    assert "invalid value for `--add`" in process.stderr


def test_other_bytes_on_github_stop_everything(
    upload: Callable[..., CompletedProcess[str]], github: GitHub, version: str
) -> None:
    github.add(github.create(f"v{version}", draft=False), "SHA256SUMS", b"other")
    process = upload()
    assert process.returncode == 1
    assert (
        "error: the release on GitHub has other bytes, nothing was uploaded\n  `SHA256SUMS`: sha256"
        in process.stderr
    )
    assert "`python3 -m scripts assets ARTIFACTS --add NAME`" in process.stderr
    assert github.assets(f"v{version}") == {"SHA256SUMS": b"other"}


@pytest.mark.parametrize(
    ("settings", "words", "hint"),
    [
        ({"GH_TOKEN": "another"}, "`gh` is not logged in", "gh auth login"),
        ({"GH_TOKEN": ""}, "`gh` is not logged in", "gh auth login"),
        ({"PATH": "/nowhere"}, "`gh` is not installed", "cli.github.com"),
    ],
)
def test_assets_needs_a_client_that_is_logged_in(
    upload: Callable[..., CompletedProcess[str]],
    github: GitHub,
    settings: dict[str, str],
    words: str,
    hint: str,
) -> None:
    process = upload(**settings)
    assert process.returncode == 1
    assert f"error: {words}" in process.stderr
    assert hint in process.stderr
    assert "Traceback" not in process.stderr
    assert github.releases == []


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("", "no secret key was given", "LEANSPEC_SIGNING_KEY"),
        (OF_ANOTHER_PASSWORD, "the password is wrong", "its backup"),
        (OF_ANOTHER_PASSWORD, "no terminal to ask", "LEANSPEC_SIGNING_PASSWORD"),
    ],
)
def test_assets_sign_needs_the_secret_key(
    few: Path, tree: Path, tmp_path: Path, text: str, words: str, hint: str
) -> None:
    signing = {"LEANSPEC_SIGNING_KEY": text}
    if words != "no terminal to ask":
        signing["LEANSPEC_SIGNING_PASSWORD"] = PASSWORD
    env = clean(tmp_path / "home", **signing, PYTHONPATH=str(tree))
    signature = (few / "SHA256SUMS.minisig").read_text()
    process = run([*OWN_COMMAND, "assets", "--sign", "--out", few], env, cwd=tree, code=1)
    assert f"error: {words}" in process.stderr
    assert hint in process.stderr
    assert (few / "SHA256SUMS.minisig").read_text() == signature


def test_assets_refuses_a_folder_that_has_no_artifacts(tree: Path, tmp_path: Path) -> None:
    env = clean(tmp_path / "home", PYTHONPATH=str(tree))
    for folder, words in (
        (tmp_path / "nowhere", "is not a folder of artifacts"),
        (tmp_path, "home` is not an artifact of a release"),
        (tmp_path / "home", "the wheels are missing"),
    ):
        process = run([*OWN_COMMAND, "assets", folder], env, cwd=tree, code=1)
        assert words in process.stderr
        assert "hint: " in process.stderr


@pytest.mark.parametrize(
    ("addition", "sums"), [((), "SHA256SUMS"), (("--add", "x"), "SHA256SUMS.x")]
)
def test_assets_dry_run_names_the_command_that_assembles(
    upload: Callable[..., CompletedProcess[str]],
    github: GitHub,
    tmp_path: Path,
    addition: tuple[str, ...],
    sums: str,
) -> None:
    folder = tmp_path / "nowhere"
    process = upload("--dry-run", *addition, folder=folder, PATH="/nowhere")
    assert process.returncode == 1
    assert f"nothing is assembled in `{folder}`" in process.stderr
    assert f"it has no `{sums}`\n" in process.stderr
    words = " ".join(["assets ARTIFACTS", *addition])
    assert f"hint: assemble it first: `python3 -m scripts {words}`" in process.stderr
    assert github.asked == []


def test_a_tag_that_is_not_pushed_has_no_release(
    upload: Callable[..., CompletedProcess[str]], github: GitHub
) -> None:
    github.tags.clear()
    process = upload()
    assert process.returncode == 1
    assert "hint: push the tag first" in process.stderr
    assert github.releases == []


def test_a_release_that_is_to_be_signed_is_not_uploaded_unsigned(
    upload: Callable[..., CompletedProcess[str]], few: Path, github: GitHub
) -> None:
    for name in LISTS:
        (few / f"{name}.minisig").unlink()
    process = upload()
    assert process.returncode == 1
    assert "error: an unsigned release is not uploaded" in process.stderr
    assert "`python3 -m scripts assets --sign --key FILE`" in process.stderr
    assert github.asked == []


def test_a_plan_without_a_key_makes_a_release_that_says_so(
    artifacts: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    unsigned, out = replace(plan, public_key=""), tmp_path / "out"
    assemble(artifacts, out, unsigned, tree)
    assert json.loads((out / "release.json").read_text())["signing"] == "none"
    assert "of this release are not signed" in (out / "RELEASE_NOTES.md").read_text()
    files = verified(out, unsigned, None, Listing())
    assert [path.name for path in files[-2:]] == ["release.json", "SHA256SUMS"]
    assert {path.name for path in files} == names(out)
    (out / "SHA256SUMS.minisig").write_text("of somebody")
    with pytest.raises(CommandError, match=r"minisig` is not of this release"):
        verified(out, unsigned, None, Listing())


def test_a_dry_run_uploads_nothing(
    upload: Callable[..., CompletedProcess[str]], github: GitHub, few: Path
) -> None:
    process = upload("--dry-run")
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("to be uploaded") == len(names(few))
    assert github.releases == []


def bundle(folder: Path, sums: Path, **changed: str) -> Path:
    """Write what `actions/attest` writes, as far as it states which files it is of."""
    pairs = [line.split("  ") for line in sums.read_text().splitlines()]
    subjects = [
        {"name": name, "digest": {"sha256": changed.get("digest", digest)}}
        for digest, name in pairs
    ]
    statement = base64.b64encode(json.dumps({"subject": subjects}).encode()).decode()
    path = folder / "attestation.json"
    path.write_text(json.dumps({"dsseEnvelope": {"payload": statement}}, indent=2))
    return path


def test_the_provenance_is_an_asset_and_each_attempt_may_have_its_own(
    upload: Callable[..., CompletedProcess[str]],
    github: GitHub,
    few: Path,
    version: str,
    tmp_path: Path,
) -> None:
    name = f"leanspec-{version}.intoto.jsonl"
    provenance = bundle(tmp_path, few / "SHA256SUMS")
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
def test_a_provenance_that_is_damaged_is_refused(
    few: Path, plan: Plan, text: str, tmp_path: Path
) -> None:
    provenance = tmp_path / "attestation.json"
    provenance.write_text(text)
    with pytest.raises(CommandError, match=str(provenance)) as error:
        verified(few, plan, provenance, Listing())
    assert "the file that `actions/attest` wrote" in str(error.value.hint)


def test_a_provenance_of_other_bytes_is_not_uploaded(
    upload: Callable[..., CompletedProcess[str]],
    github: GitHub,
    few: Path,
    tmp_path: Path,
) -> None:
    provenance = bundle(tmp_path, few / "SHA256SUMS", digest="0" * 64)
    process = upload("--provenance", provenance)
    assert process.returncode == 1
    assert f"error: `{provenance}` " in process.stderr
    assert "hint: give the file that `actions/attest` wrote" in process.stderr
    assert github.asked == []


def changed(name: str, data: bytes | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        if data is not None:
            (folder / name).write_bytes(data)

    return change


def another_byte(folder: Path) -> None:
    (path,) = folder.glob("leanspec-*-linux-x64.tar.gz")
    path.write_bytes(path.read_bytes()[:-1] + b"x")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (another_byte, "linux-x64.tar.gz` is "),
        (changed("release.json", None), "release.json` is missing"),
        (changed("release.json", b"{}"), "release.json` is "),
        (changed("SHA256SUMS", None), "nothing is assembled in"),
        (changed("SHA256SUMS", b"x"), "is damaged"),
        (changed("SHA256SUMS", b""), "is not of this release"),
        (changed("SHA256SUMS.minisig", b""), "not a valid minisign signature"),
        (changed("SHA256SUMS.minisig", None), "SHA256SUMS.minisig` is missing"),
        (changed("added.whl", b""), "added.whl` is not of this release"),
    ],
)
def test_a_folder_that_was_changed_is_refused(
    change: Callable[[Path], None], words: str, few: Path, plan: Plan
) -> None:
    assert verified(few, plan, None, Listing())
    change(few)
    with pytest.raises(CommandError, match=words) as error:
        verified(few, plan, None, Listing())
    assert error.value.hint


def test_a_folder_that_was_changed_is_not_uploaded(
    upload: Callable[..., CompletedProcess[str]], github: GitHub, few: Path
) -> None:
    another_byte(few)
    process = upload()
    assert process.returncode == 1
    assert "linux-x64.tar.gz` is " in process.stderr
    assert "hint: assemble it again" in process.stderr
    assert github.asked == []


def test_an_archive_keeps_nothing_of_the_machine(real_assets: Path, version: str) -> None:
    with tarfile.open(real_assets / f"leanspec-{version}-linux-x64.tar.gz") as archive:
        assert {
            (each.uid, each.gid, each.uname, each.gname, each.mtime) for each in archive
        } == {(0, 0, "", "", 315532800)}
