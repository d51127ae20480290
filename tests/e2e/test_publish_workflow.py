"""publish.yml, played on this machine: each job's script steps in order, a real index, a GitHub on loopback.

One play is a release from its tag, and is followed by what its users do with it. The others start
from what it built.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from scripts.collect.openssl import read_openssl
from scripts.index.built import installer_settings
from scripts.index.client import Index, IndexClient
from scripts.model.files import read_files
from scripts.model.programs import DISTRIBUTIONS, load_programs
from scripts.model.repository import read_repository
from scripts.model.versions import binary_version, next_dev
from scripts.tools.processes import own_program
from tests.support import devpi, openssl, registry, targets
from tests.support.desktop import PNPM, pack_pnpm, write_application, write_pnpm_workspace
from tests.support.devpi import Devpi
from tests.support.download import download
from tests.support.elf import C_LIBRARY, needed, newest_glibc
from tests.support.github import GitHub, names
from tests.support.preconditions import needs, require
from tests.support.publish_workflow import PLATFORM, WORKFLOW, PublishWorkflow, is_foreign
from tests.support.registry import Registry, package
from tests.support.releases import STAND_IN
from tests.support.stage import INSTALLERS, Stage, must_install_upgrade_and_uninstall
from tests.support.surroundings import clean, once, run
from tests.support.tree_copy import git
from tests.support.versions import RELEASED
from tests.support.wheel_files import content, required
from tests.support.workflow import SKIPPED, Player, Result, Step
from tests.support.workspace import add_openssl, write_workspace

pytestmark = [pytest.mark.network, pytest.mark.long, needs("cargo", "npm")]
TAG = "manylinux2014_x86_64.manylinux_2_17_x86_64"
TAGS = targets.TAGS | {"linux-x64": "manylinux_2_17_x86_64"}
# The steps that build files: from which artifact another play of the same commit copies
# their output, and to which folder of its workspace.
BUILDS = {
    "collect cargo": (f"binaries-{PLATFORM}", "platform_wheels"),
    "collect desktop": (f"desktop-{PLATFORM}", "artifacts"),
    "wheels": ("dist", "dist"),
}
BUNDLES = "--bundles final-artifacts"
CHECK = 'check --github-output --sources "$SOURCES"'
PUBLISH = 'publish --index "$INDEX" --checked "$CHECKED"'
Play = Callable[..., Player]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devpi]:
    with devpi.running(tmp_path_factory.mktemp("index")) as server:
        yield server


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Return an npm registry on loopback, which has the pinned pnpm."""
    folder = tmp_path_factory.mktemp("npm")
    with registry.serving(folder) as running:
        name, version = PNPM.split("@")
        running.publish(name, version, pack_pnpm(folder))
        yield running


@pytest.fixture(scope="module")
def with_openssl(request: pytest.FixtureRequest) -> bool:
    """Tell whether LeanSpec needs OpenSSL in this run: it takes minutes to build, so not in a plain one."""
    is_plain = "not slow" in request.config.getoption("markexpr")
    return not is_plain and openssl.is_obtainable()


@pytest.fixture(scope="module")
def sources(shared: Path, version: str, *, with_openssl: bool) -> dict[str, Path]:
    """Return the repositories that are LeanSpec's, as far as a release looks at them."""

    def make(folder: Path) -> None:
        workspace = write_workspace(folder / "rust", version)
        for crate in workspace.glob("leanspec-*"):
            shutil.copy(STAND_IN, crate / "src/main.rs")
        if with_openssl:
            add_openssl(workspace, "leanspec-cli", openssl.crates())
            # What two plays need is compiled once.
            with (workspace / ".cargo/config.toml").open("a") as settings:
                settings.write(f"[build]\ntarget-dir = '{shared}/leanspec-target'\n")
        write_pnpm_workspace(folder)
        _commit(folder, version)

    def make_application(folder: Path) -> None:
        write_application(folder, version)
        _commit(folder, version)

    return {
        read_repository(key="sources").slug: once(shared / "leanspec", make),
        "codervisor/lean-spec-desktop": once(shared / "desktop", make_application),
    }


def _commit(folder: Path, version: str) -> None:
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "LeanSpec")
    git(folder, "tag", f"v{version}")


@pytest.fixture(scope="module")
def play(
    tmp_path_factory: pytest.TempPathFactory,
    server: Devpi,
    npm: Registry,
    sources: dict[str, Path],
    wheelhouse: Path,
    released_tree: Path,
    *,
    with_openssl: bool,
) -> Iterator[Play]:
    """Return how the workflow is played, on the tag of this version, with given inputs."""
    require("gh")
    server.upload(server.make_index("base"), *required(wheelhouse))
    with contextlib.ExitStack() as servers:
        workflow = PublishWorkflow(
            base=tmp_path_factory.mktemp("workflow"),
            server=server,
            npm=npm,
            sources=sources,
            with_openssl=with_openssl,
            servers=servers,
        )
        workflow.prepare(released_tree)
        yield workflow.play


@pytest.fixture(scope="module")
def release(play: Play) -> Player:
    """Return the play of a release."""
    return play("release", dry_run=False, dev=False)


def typed(step: Step) -> str:
    """Return the command of a step without what all of them begin with."""
    return step.command.removeprefix("python -m scripts ")


def reused(release: Player) -> Callable[[Step, Path], Result | None]:
    """Return what answers the steps that build with their output in the play of a release."""

    def answer(step: Step, workspace: Path) -> Result | None:
        build = next((words for words in BUILDS if typed(step).startswith(words)), None)
        same = [result for result in release.steps if result.step == step]
        if build is None or not same or is_foreign(step):
            return None
        artifact, place = BUILDS[build]
        source = release.folder / "artifacts" / artifact
        shutil.copytree(source, workspace / place, dirs_exist_ok=True)
        return same[0]

    return answer


def skipped(player: Player) -> list[str]:
    return [name for name, job in player.results.items() if job["result"] == SKIPPED]


def reported(player: Player, program: str) -> str:
    """Return the version that a binary reported where it was built."""
    record = f"artifacts/binaries-{PLATFORM}/{program}/binaries/{PLATFORM}/binary.json"
    return str(json.loads((player.folder / record).read_text())["reported"])


def served(player: Player) -> list[str]:
    """Return the names of our files on the index of a play."""
    url = player.contexts["url"]
    client = IndexClient(Index(f"{url}+simple/", url))
    return sorted(name for project in DISTRIBUTIONS for name in client.files(project))


def test_workflow_releases_a_tag_everywhere(release: Player, version: str) -> None:
    assert skipped(release) == []
    steps = [(result.step.job, typed(result.step)) for result in release.steps]
    assert sorted(steps) == sorted(
        [
            ("plan", "matrix --tagged"),
            ("plan", "matrix --github-output"),
            *[
                ("build", "bump --check --cargo leanspec/rust"),
                ("build", 'collect cargo leanspec/rust --target "$TARGET" --build'),
            ]
            * len(PLATFORMS),
            ("desktop", "matrix --github-output"),
            ("desktop", 'collect desktop leanspec --build --into "artifacts/$ARTIFACT"'),
            ("check", "collect artifacts artifacts --planned"),
            ("check", "collect pages"),
            ("check", "wheels"),
            ("check", f"{CHECK} --assemble artifacts"),
            ("check", f"{PUBLISH} --dry-run"),
            ("check", f"publish-server --build {BUNDLES}"),
            ("sign", 'assets --assembled "$ASSEMBLED"'),
            ("sign", 'assets --assembled "$ASSEMBLED" --sign'),
            ("sign", 'assets --upload --provenance "$PROVENANCE"'),
            ("publish", f"{PUBLISH} --dry-run"),
            ("publish", PUBLISH),
            ("verify", 'verify-release "$VERSION" --index "$INDEX" --dist dist'),
            ("release", "assets --publish"),
            ("registry", "publish-server"),
        ]
    )
    assert release.passed_over == {
        "actions/setup-python",
        "re-actors/alls-green",
        "python -m scripts test",
        "python -m scripts attest",
        "python -m scripts collect desktop leanspec --prepare",
    }
    dist = release.folder / "artifacts/dist"
    assert len([*dist.glob(f"*{TAG}.whl")]) == len(PROGRAMS), "the pinned glibc"
    github: GitHub = release.contexts["server"]
    assert github.releases[0]["draft"] is False
    final = release.folder / "release-0/final-artifacts"
    assets = github.assets(f"v{version}")
    assert assets == {name: (final / name).read_bytes() for name in names(final)}
    desktop = f"leanspec-desktop-{version}-{PLATFORM}.deb"
    wheels = {path.name: path.read_bytes() for path in dist.iterdir()}
    assert {desktop, f"leanspec-{version}.intoto.jsonl"} <= set(assets)
    assert wheels.items() <= assets.items()
    assert reported(release, "mcp") == version, "it was run where it was built"
    requests = (release.folder / "home/registry.log").read_text().splitlines()
    assert requests == ["login github-oidc", "publish"]
    entry = json.loads((release.folder / "home/server.json").read_text())
    package, *bundles = entry["packages"]
    assert (package["identifier"], package["version"]) == ("leanspec-mcp", version)
    listed = {
        bundle["identifier"].rpartition("/")[2]: bundle["fileSha256"] for bundle in bundles
    }
    assert listed == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in assets.items()
        if name.endswith(".mcpb")
    }


def test_workflow_drafts_the_release_before_the_first_upload(release: Player) -> None:
    jobs = [result.step.job for result in release.steps]
    order = ["check", "sign", "publish", "verify", "release", "registry"]
    places = [(jobs.index(job), len(jobs) - jobs[::-1].index(job)) for job in order]
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(places))
    requests = release.contexts["server"].asked
    changes = [line for line in requests if line.startswith(("POST /repos", "PATCH"))]
    assert changes[-1].startswith("PATCH"), "the draft is published as it is"
    assert sum(line.startswith("PATCH") for line in changes) == 1


def test_release_is_installed_for_every_platform(release: Player, tmp_path: Path) -> None:
    """By installers that take a wheel for its platform, from the index of the play."""
    simple = f"{release.contexts['url']}+simple/"
    env = clean(tmp_path / "home") | installer_settings(simple, tmp_path / "cache")
    env |= {"UV_OFFLINE": "0", "UV_NO_INDEX": "0"}
    distributions = [program.distribution for program in PROGRAMS.values()]
    uv = (own_program("uv"), "pip", "install", "--python", sys.executable, "--no-deps")
    for platform, uv_platform in targets.UV_PLATFORMS.items():
        options = ("--python-platform", uv_platform, "--target", tmp_path / platform)
        run([*uv, *options, *distributions], env)
    wheels = {
        tmp_path / f"{program.name}-{platform}": (program.distribution, TAGS[platform])
        for program in PROGRAMS.values()
        for platform in PLATFORMS
    }
    download(wheels, env)
    for program in PROGRAMS.values():
        for key in PLATFORMS:
            name = f"{program.package}/bin/{program.command}{PLATFORMS[key].suffix}"
            artifact = release.folder / f"artifacts/binaries-{key}"
            (binary,) = artifact.rglob(Path(name).name)
            assert (tmp_path / key / name).read_bytes() == binary.read_bytes()
            (wheel,) = (tmp_path / f"{program.name}-{key}").iterdir()
            assert content(wheel, name) == binary.read_bytes()


@pytest.mark.slow
def test_released_binary_has_the_pinned_openssl(release: Player) -> None:
    openssl.must_be_obtainable()
    (wheel,) = (release.folder / "artifacts/dist").glob(f"leanspec_cli_bin-*{TAG}.whl")
    pin = read_openssl()
    record = json.loads(content(wheel, "leanspec_cli_bin/bin/binary.json"))
    assert record["source"]["openssl"] == pin.record
    program = content(wheel, "leanspec_cli_bin/bin/leanspec")
    assert needed(program) <= C_LIBRARY
    assert newest_glibc(program) <= Version("2.17")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if "/sboms/" in name]
        assert f"pkg:generic/openssl@{pin.version}" in archive.read(name).decode()
    checks = [result for result in release.steps if typed(result.step).startswith("check ")]
    assert re.search(r"(?m)^✓ OpenSSL +all \d facts are right$", checks[0].stdout)


@pytest.mark.slow
def test_published_release_is_installed_fixed_and_removed(
    release: Player, server: Devpi, npm: Registry, version: str, tmp_path: Path
) -> None:
    """As in tests/release, with small programs on the play's own index."""
    artifacts = release.folder / "artifacts"
    platform = PLATFORMS[PLATFORM]
    for project in load_programs():
        name, program = project.npm_package(platform), project.program.command
        (binary,) = (artifacts / f"binaries-{PLATFORM}").rglob(program)
        npm.publish(name, version, package(name, version, {program: binary.read_bytes()}))
    # The folder in which this release was built, on its tag, with the collected binaries.
    tree = release.folder / "check-0"
    stage = Stage(tmp_path, server, tree, tree / "dist", npm.settings())
    url = release.contexts["url"]
    stage.publish_again(url)
    stage.refuse_bump(url)
    fix = stage.publish_fix(url, tmp_path)
    for kind in INSTALLERS:
        installation = stage.installation(kind, url)
        must_install_upgrade_and_uninstall(installation, version, fix.version)
    fix.verify(url)


def test_workflow_dry_run_needs_no_tag_and_uploads_nothing(
    release: Player, play: Play
) -> None:
    player = play("dry-run", reused(release), is_tagged=False, dry_run=True, dev=False)
    assert skipped(player) == ["sign", "publish", "verify", "release", "registry"]
    built = {id(result) for result in release.steps}
    copied = [typed(result.step) for result in player.steps if id(result) in built]
    assert len(copied) == len(BUILDS), "every build has the same commands and variables"
    outputs = {typed(result.step): result.stdout + result.stderr for result in player.steps}
    assert "the tag v0.3.0: not set yet" in outputs[f"{CHECK} --assemble artifacts"]
    published = outputs[f"{PUBLISH} --dry-run"]
    assert "a dry run: nothing was uploaded" in published
    files = read_files(release.folder / "artifacts/dist")[0]
    assert published.count("to be uploaded") == len(files)
    assert served(player) == []
    assert player.contexts["server"].asked == [], "GitHub is not even asked"
    workflow = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    jobs = [workflow["jobs"][name] for name in player.results.keys() - {*skipped(player)}]
    assert not any("environment" in job for job in jobs), "nobody is asked for approval"
    assert "secrets." not in yaml.safe_dump(jobs)
    assert not any("write" in job["permissions"].values() for job in jobs)


def test_workflow_releases_a_dev_version_to_the_test_index(play: Play) -> None:
    player = play("dev", dry_run=False, dev=True)
    assert skipped(player) == ["test", "desktop", "sign", "release", "registry"]
    outputs = player.results["plan"]["outputs"]
    dev = next_dev(Version(RELEASED), 7)
    assert (outputs["version"], outputs["index"]) == (str(dev), "testpypi")
    assert re.fullmatch("[0-9a-f]{40}", outputs["sources"]), (
        "a branch moves between two jobs"
    )
    assert reported(player, "cli") == binary_version(dev)
    (published,) = [
        result.stderr for result in player.steps if typed(result.step) == PUBLISH
    ]
    assert "published: every file was fetched from the index" in published
    assert all(f"-{dev}" in name for name in served(player))
    assert player.contexts["server"].releases == []
