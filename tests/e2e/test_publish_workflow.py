"""publish.yml, played on this machine: each job's script steps in order, a real index, a GitHub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from minisign import KeyPair
from packaging.version import Version

from scripts.environment import ROOT
from scripts.gates.commit import commit_of
from scripts.model.files import read_files
from scripts.model.versions import binary_version, next_dev
from scripts.proofs.rehearsal.devpi import USER, Devpi, devpi, upload_foreign
from scripts.tools.processes import clean_environment
from scripts.tools.release_tools import FOLDER as RELEASE_TOOLS
from scripts.tools.release_tools import release_tool
from scripts.tools.tree_copy import copy_tree, git
from tests.support.attestation import write_attestation
from tests.support.desktop import write_application
from tests.support.github import REPOSITORY, GitHub, serving
from tests.support.keys import without_password
from tests.support.preconditions import needs, require
from tests.support.releases import STAND_IN
from tests.support.surroundings import once, run
from tests.support.versions import RELEASED
from tests.support.workflow import Done, Player
from tests.support.workspace import write_workspace

pytestmark = [
    pytest.mark.network,
    pytest.mark.long,
    needs("cargo"),
]
WORKFLOW = ROOT / ".github/workflows/publish.yml"
# A step says `python -m scripts`; here that runs in this environment, on the tree that the step is
# in.
PYTHON = """#!/bin/sh
test "$1 $2" = "-m scripts" || { echo "not a step of ours: $*" >&2; exit 2; }
shift 2
PYTHONPATH="$PWD" exec PYTHON -c 'from scripts.cli import run; run()' "$@"
"""
PASSWORD = "a password of a test"  # noqa: S105 - of a key that signs nothing
Play = Callable[..., Player]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devpi]:
    with devpi(tmp_path_factory.mktemp("index")) as running:
        yield running


@pytest.fixture(scope="module")
def sources(shared: Path, version: str) -> Path:
    """Return a repository that is LeanSpec's, as far as a release looks at it."""

    def make(folder: Path) -> None:
        workspace = write_workspace(folder / "rust", version)
        for crate in workspace.glob("leanspec-*"):
            shutil.copy(STAND_IN, crate / "src/main.rs")
        write_application(folder / "packages/desktop", version)
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "LeanSpec")
        git(folder, "tag", f"v{version}")

    return once(shared / "leanspec", make)


@pytest.fixture(scope="module")
def play(
    tmp_path_factory: pytest.TempPathFactory,
    server: Devpi,
    sources: Path,
    version: str,
    wheelhouse: Path,
    released_tree: Path,
) -> Iterator[Play]:
    """Return how the workflow is played, on the tag of this version, with given inputs."""
    require("gh")
    release_tool("cargo-zigbuild")  # made once, for all runs
    base = tmp_path_factory.mktemp("workflow")
    key = KeyPair.generate().secret_key
    tree = base / "repository"
    copy_tree(tree, released_tree)
    text = (tree / "pyproject.toml").read_text()
    public = key.get_public_key().to_base64().decode()
    text = text.replace('\npublic-key = ""', f'\npublic-key = "{public}"')
    text = text.replace('platforms = []\nabsent = "', 'platforms = ["linux-x64"]\n# "')
    (tree / "pyproject.toml").write_text(text)
    changelog = (tree / "CHANGELOG.md").read_text()
    dated = f"## [Unreleased]\n\n## [{version}] - 2026-01-01"
    (tree / "CHANGELOG.md").write_text(changelog.replace("## [Unreleased]", dated))
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "Release")
    git(tree, "tag", f"v{version}")
    programs = base / "bin"
    programs.mkdir()
    (programs / "python").write_text(PYTHON.replace("PYTHON -c", f"{sys.executable} -c"))
    (programs / "python").chmod(0o755)
    upload_foreign(server, server.make_index("base"), [*wheelhouse.glob("click-*.whl")])

    def checkout(place: Path, repository: str | None, ref: str | None) -> str:
        origin = sources if repository else tree
        git(base, "clone", "--quiet", str(origin), str(place))
        if ref:
            git(place, "checkout", "--quiet", ref)
        if not repository:
            (place / RELEASE_TOOLS.name).symlink_to(RELEASE_TOOLS)
        return commit_of(place).name

    count = iter(range(9))
    with serving(GitHub(tags={f"v{version}"})) as github:

        def call(**inputs: bool) -> Player:
            number = next(count)
            url = server.make_index(f"workflow{number}", f"{USER}/base")
            folder = base / f"run{number}"
            (folder / "home").mkdir(parents=True)
            own = f"repository = {url}\nusername = {USER}\npassword = {server.token}\n"
            (folder / "home/.pypirc").write_text(
                f"[distutils]\nindex-servers =\n  pypi\n  testpypi\n[pypi]\n{own}[testpypi]\n{own}"
            )
            settings = github.environment() | {
                "no_proxy": "127.0.0.1",
                "NO_PROXY": "127.0.0.1",
            }
            keep = {"CARGO_HOME": os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))}
            keep |= {
                "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
            }
            # Where zig keeps what it compiles of the C library: a cold one costs a minute.
            keep |= {
                "ZIG_GLOBAL_CACHE_DIR": str(
                    Path(tempfile.gettempdir()) / "leanspec-zig-cache"
                )
            }
            path = f"{programs}{os.pathsep}{os.environ['PATH']}"
            home = str(folder / "home")
            env = clean_environment(**settings, **keep, HOME=home, PATH=path, CI="true")
            player = Player(
                WORKFLOW,
                folder,
                {
                    "inputs": inputs,
                    "github": {
                        "run_number": "7",
                        "token": github.token,
                        "repository": REPOSITORY,
                    },
                    "secrets": {
                        "LEANSPEC_SIGNING_KEY": without_password(key),
                        "LEANSPEC_SIGNING_PASSWORD": PASSWORD,
                    },
                },
                env,
                checkout,
                # The suite is what runs this; a workflow's identity, by which it attests and the
                # registry knows it, only GitHub gives.
                skip=lambda command: command.endswith(
                    (" test", " attest", " publish-server")
                ),
                before=attest_instead,
            )
            player.contexts["url"], player.contexts["server"] = url, github
            player.play()
            return player

        yield call


def attest_instead(command: str, workspace: Path) -> None:
    """Write attestations by a key that nobody vouches for, where `publish` will look for them."""
    if " publish " in command:
        for file in read_files(workspace / "dist")[0]:
            write_attestation(file)


def explain(player: Player) -> str:
    return "\n".join(
        f"[{each.job}] {each.command}\n{each.output}"
        for each in player.done
        if each.code != 0
    )


def commands(done: list[Done]) -> list[tuple[str, str]]:
    return [(each.job, each.command.removeprefix("python -m scripts ")) for each in done]


def test_a_release_goes_from_its_tag_to_everything(
    play: Play, version: str, tmp_path: Path
) -> None:
    """As a published release starts it: no inputs."""
    player = play()
    assert {each["result"] for each in player.results.values()} == {"success"}, explain(
        player
    )
    assert sorted(commands(player.done)) == sorted(
        [
            ("plan", "matrix --github-output"),
            ("build", "sync-versions --check --cargo leanspec/rust"),
            ("build", 'collect cargo leanspec/rust --target "$TARGET" --build'),
            ("desktop", "collect desktop leanspec/packages/desktop --build"),
            ("check", "collect artifacts artifacts --planned"),
            ("check", "collect pages"),
            ("check", "wheels --repair auditwheel"),
            ("check", 'check --github-output --sources "$SOURCES"'),
            ("publish", 'publish --index "$INDEX" --checked "$CHECKED"'),
            ("verify", 'verify-release "$VERSION" --index "$INDEX" --dist dist'),
            ("github", "release-assets artifacts"),
            ("github", 'upload-assets --provenance "$PROVENANCE"'),
        ]
    )
    assert player.passed_over == {
        "actions/setup-python",
        "re-actors/alls-green",
        "python -m scripts test",
        "python -m scripts attest",
        "python -m scripts publish-server",
    }
    dist = player.folder / "artifacts/dist"
    assert any("manylinux_2_28_x86_64" in path.name for path in dist.iterdir()), (
        "the pinned glibc"
    )
    assert player.contexts["server"].releases[0]["draft"] is False
    desktop = f"leanspec-desktop-{version}-linux-x64.deb"
    served = player.contexts["server"].assets(f"v{version}")
    for path in dist.iterdir():
        assert (
            hashlib.sha256(served[path.name]).hexdigest()
            == hashlib.sha256(path.read_bytes()).hexdigest()
        )
    assert {desktop, f"leanspec-{version}.intoto.jsonl"} <= set(served)
    record = json.loads(
        (
            player.folder
            / "artifacts/binaries-linux-x64/mcp/binaries/linux-x64/binary.json"
        ).read_text()
    )
    assert record["reported"] == version, "it was run where it was built"
    url = player.contexts["url"]
    pip = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--isolated",
        "--no-cache-dir",
    ]
    run(
        [*pip, "--index-url", f"{url}+simple/", "-d", tmp_path, f"lean-spec=={version}"],
        player.env,
    )


def test_a_dry_run_does_all_but_upload(play: Play) -> None:
    player = play(dry_run=True, dev=False)
    assert {each["result"] for each in player.results.values()} <= {"success", "skipped"}, (
        explain(player)
    )
    assert [
        name for name, each in player.results.items() if each["result"] == "skipped"
    ] == ["verify"]
    words = {each.command: each.output for each in player.done}
    published = 'python -m scripts publish --index "$INDEX" --checked "$CHECKED" --dry-run'
    assert "a dry run: nothing was uploaded" in words[published]
    assert (
        "a dry run: nothing was uploaded"
        in words["python -m scripts upload-assets --dry-run"]
    )
    assert "python -m scripts attest" not in player.passed_over, (
        "nothing is attested in a dry run: that is public"
    )
    said = words["python -m scripts publish-server --dry-run"]
    assert '"identifier": "leanspec-mcp"' in said
    assert "a dry run: nothing was published" in said


def test_a_dev_version_goes_to_the_test_index(play: Play) -> None:
    player = play(dry_run=False, dev=True)
    assert {each["result"] for each in player.results.values()} <= {"success", "skipped"}, (
        explain(player)
    )
    assert [
        name for name, each in player.results.items() if each["result"] == "skipped"
    ] == [
        "test",
        "desktop",
        "github",
        "registry",
    ]
    outputs = player.results["plan"]["outputs"]
    dev = next_dev(Version(RELEASED), 7)
    assert (outputs["version"], outputs["index"]) == (str(dev), "testpypi")
    assert re.fullmatch("[0-9a-f]{40}", outputs["sources"]), (
        "a branch moves between two jobs"
    )
    record = json.loads(
        (
            player.folder
            / "artifacts/binaries-linux-x64/cli/binaries/linux-x64/binary.json"
        ).read_text()
    )
    assert record["reported"] == binary_version(dev)
    published = next(each.output for each in player.done if " publish " in each.command)
    assert "published: every file was fetched from the index" in published


def test_who_attests_is_a_workflow(
    scripts: Callable[..., CompletedProcess[str]], dist: Path
) -> None:
    done = scripts("attest", "--dist", dist, code=1)
    assert "error: no identity to attest with" in done.stderr
    assert "hint: let .github/workflows/publish.yml do it" in done.stderr
