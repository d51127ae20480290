"""Every command line of the README, CONTRIBUTING and publishing.md, typed in the order of its page.

The suite of the tree is a small one: `python3 -m scripts test` would otherwise start this test again.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from scripts.environment import ROOT
from scripts.gates.commit import commit_of
from scripts.model.files import read_files
from scripts.publish.matrix import build_target
from tests.support import devpi, openssl
from tests.support.artifacts import BUILDS, cargo_source, put_collected
from tests.support.attestation import write_attestation
from tests.support.command_lines import code_lines
from tests.support.devpi import USER
from tests.support.github import GitHub, serving
from tests.support.preconditions import needs, require
from tests.support.scene import Scene
from tests.support.wheel_files import required

pytestmark = [pytest.mark.network, pytest.mark.slow, needs("cargo"), needs("npm")]
NEXT = "0.3.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devpi.Devpi]:
    with devpi.running(tmp_path_factory.mktemp("index")) as server:
        yield server


@pytest.fixture
def scene(
    tmp_path: Path,
    server: devpi.Devpi,
    released_tree: Path,
    wheelhouse: Path,
    request: pytest.FixtureRequest,
) -> Iterator[Scene]:
    require("gh")
    openssl.must_be_obtainable()
    page = request.node.callspec.params["page"]
    name = re.sub(r"\W", "-", page.lower())
    base = server.make_index(f"{name}-base")
    server.upload(base, *required(wheelhouse))
    with serving(GitHub(tags={f"v{NEXT}"})) as github:
        url = server.make_index(name, f"{USER}/{name}-base")
        scene = Scene(tmp_path, server, github, url)
        scene.write(released_tree, rehearsal="publishing" in page)
        yield scene


def build_as_ci(scene: Scene) -> None:
    """Give the run of the workflow its artifacts, built at the tag: stand-ins for other machines."""
    options = f"--target {build_target('linux-x64')} --build --into ../built"
    scene.type(f"python3 -m scripts collect cargo ../leanspec/rust {options}")
    record: dict[str, object] = {
        "version": NEXT,
        "commit": commit_of(scene.sources).name,
        "reported": NEXT,
    }
    for platform in PLATFORMS.keys() - {"linux-x64"}:
        for program in PROGRAMS:
            data = BUILDS[platform] + program.encode()
            record["source"] = cargo_source(program, PLATFORMS[platform].target, NEXT)
            put_collected(scene.folder / "built", program, platform, data, record)
    scene.type("python3 -m scripts collect pages --into ../built")
    scene.type("python3 -m scripts wheels --binaries ../built --out ../ci-dist")
    scene.hand_over("dist", scene.folder / "ci-dist")
    built = scene.folder / "built"
    for platform in {path.name for path in built.glob("*/binaries/*")}:
        folder = scene.folder / f"artifact-{platform}"
        for source in built.glob(f"*/binaries/{platform}"):
            shutil.copytree(source, folder / source.relative_to(built))
        scene.hand_over(f"binaries-{platform}", folder)


def publish_as_ci(scene: Scene) -> None:
    """Publish the built files, attested."""
    for file in read_files(scene.tree / "dist")[0]:
        write_attestation(file)
    scene.type("python3 -m scripts publish --index pypi --allow-local")


def save_schema(scene: Scene) -> None:
    """Save a schema that takes everything: the real one names hosts, so no test has it."""
    (scene.folder / "server.schema.json").write_text("{}")


# What others do between two lines of a page, before the line that begins so.
BETWEEN = {
    "gh run download": build_as_ci,
    "python3 -m scripts rehearse": publish_as_ci,
    "python3 -m scripts test -- --mcp-schema": save_schema,
}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/publishing.md"])
def test_each_line_of_a_page_works_in_its_order(
    page: str, scene: Scene, dist: Path
) -> None:
    if page == "README.md":
        scene.server.upload(scene.url, *dist.glob("*"))
    lines = [line for _, line in code_lines(ROOT / page)]
    assert lines
    for line in lines:
        for beginning, others in BETWEEN.items():
            if line.startswith(beginning):
                others(scene)
        sys.stdout.write(f"$ {line}\n{scene.type(line)}\n")
