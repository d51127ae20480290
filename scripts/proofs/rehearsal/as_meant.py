"""A release without faults, from its tag to an uninstallation."""

from __future__ import annotations

from leanspec_launcher.commands import CommandError
from scripts.model.families import main_project
from scripts.model.files import read_files

from .installers import INSTALLERS
from .stage import Stage, build, commit, must_be_complete, must_exit

PRE_RELEASE = ("pre-release", "--skip-rust", "--skip-tests", "--repair", "auditwheel")


def play_as_meant(stage: Stage) -> None:
    """Check, publish, and do all that follows a publication."""
    version = main_project()["version"]
    url = stage.new_index()
    with stage.scene("pre-release --skip-rust --skip-tests") as notes:
        output = stage.must(*PRE_RELEASE, "--dist", stage.folder / "pre-release").stdout
        notes.append(output.splitlines()[-1])
    with stage.scene("publish --dry-run") as notes:
        process = stage.must(*stage.publish(url, "--dry-run"))
        planned = process.stderr.count("to be uploaded")
        if stage.served(url) or planned != len(read_files(stage.dist)[0]):
            raise CommandError("a dry run uploaded something, or planned too little")
        notes += ["the plan, and nothing uploaded", "empty"]
    with stage.scene(f"publish {version}") as notes:
        output = stage.must(*stage.publish_checked(url)).stdout
        notes.append(output.splitlines()[-1])
        must_be_complete(stage, url, notes)
    play_published(stage, url, version)


def play_published(stage: Stage, url: str, version: str) -> None:
    """Publish again, install with every installer, fix, upgrade, uninstall, and verify against npm."""
    with stage.scene("publish it again") as notes:
        output = stage.must(*stage.publish_checked(url, "--resume")).stderr
        uploads = output.count("  uploaded ")
        if uploads:
            raise CommandError(f"{uploads} files were uploaded again")
        notes.append("every file there already, nothing uploaded")
        must_be_complete(stage, url, notes)
    ways = {name: way(stage, url) for name, way in INSTALLERS.items()}
    for name, way in ways.items():
        with stage.scene(f"{name}: install and run {version}") as notes:
            way.install(version)
            notes.append(way.must_run(version))
    with stage.scene(f"bump to {version}, which is published") as notes:
        must_exit(stage.run("bump", version, "--index", url), 1, "which is published")
        notes += ["error: it is not above what is published", "nothing was changed"]
    fix = f"{version}.post1"
    with stage.scene(f"publish {fix}: a packaging-only fix, the same binaries") as notes:
        stage.must("bump", fix, "--index", url)
        commit(stage)
        build(stage)
        output = stage.must(*stage.publish(url)).stdout
        notes.append(output.splitlines()[-1])
        notes.append(f"{len(stage.served(url))} files of two versions")
    for name, way in ways.items():
        with stage.scene(f"{name}: upgrade to {fix}, uninstall") as notes:
            way.upgrade(fix)
            way.must_be(fix)
            notes.append(way.must_run(version))
            way.uninstall()
            notes.append("nothing is left")
    with stage.scene(f"verify-release {fix} --against npm --rebuild") as notes:
        options = ("--index", url, "--against", "npm", "--rebuild")
        output = stage.must("verify-release", fix, *options).stdout
        notes.append(output.splitlines()[-1])
