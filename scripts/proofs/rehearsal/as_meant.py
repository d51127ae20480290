"""A release without faults, from its tag to an uninstallation."""

from __future__ import annotations

from leanspec_launcher.diagnosis.errors import CommandError
from scripts.model.families import main_project
from scripts.model.files import read_files

from .installers import INSTALLERS
from .stage import Stage, build, commit, must_be_complete


def play_as_meant(stage: Stage) -> None:
    """Publish twice, install with every installer, upgrade, uninstall, and verify against npm."""
    version = main_project()["version"]
    url = stage.new_index()
    with stage.scene("pre-release --skip-rust --skip-tests") as notes:
        command = [
            "pre-release",
            "--skip-rust",
            "--skip-tests",
            "--repair",
            "auditwheel",
            "--dist",
        ]
        done = stage.run(*command, stage.folder / "pre-release")
        if done.returncode != 0:
            raise CommandError(done.stdout[-600:])
        notes.append(done.stdout.splitlines()[-1])
    with stage.scene("publish --dry-run") as notes:
        planned = stage.must(*stage.publish(url, "--dry-run")).stderr
        if stage.served(url) or planned.count("to be uploaded") != len(
            read_files(stage.dist)[0]
        ):
            raise CommandError("a dry run uploaded something, or planned too little")
        notes += ["the plan, and nothing uploaded", "empty"]
    with stage.scene(f"publish {version}") as notes:
        said = stage.must(*stage.publish_checked(url))
        notes.append(said.stdout.splitlines()[-1])
        must_be_complete(stage, url, notes)
    with stage.scene("publish it again") as notes:
        said = stage.must(*stage.publish_checked(url, "--resume"))
        again = said.stderr.count("  uploaded ")
        if again:
            raise CommandError(f"{again} files were uploaded again")
        notes.append("every file there already, nothing uploaded")
        must_be_complete(stage, url, notes)
    ways = {name: way(stage, url) for name, way in INSTALLERS.items()}
    for name, way in ways.items():
        with stage.scene(f"{name}: install and run {version}") as notes:
            way.install(version)
            notes.append(way.must_run(version))
    with stage.scene(f"bump to {version}, which is published") as notes:
        refused = stage.run("bump", version, "--index", url)
        if refused.returncode != 1 or "which is published" not in refused.stderr:
            raise CommandError(f"exit code {refused.returncode}: {refused.stderr[-300:]}")
        notes += ["error: it is not above what is published", "nothing was changed"]
    fix = f"{version}.post1"
    with stage.scene(f"publish {fix}: a packaging-only fix, the same binaries") as notes:
        stage.must("bump", fix, "--index", url)
        commit(stage)
        build(stage)
        notes.append(stage.must(*stage.publish(url)).stdout.splitlines()[-1])
        notes.append(f"{len(stage.served(url))} files of two versions")
    for name, way in ways.items():
        with stage.scene(f"{name}: upgrade to {fix}, uninstall") as notes:
            way.upgrade(fix)
            way.must_be(fix)
            notes.append(way.must_run(version))
            way.uninstall()
            notes.append("nothing is left")
    with stage.scene(f"verify-release {fix} --against npm --rebuild") as notes:
        said = stage.must(
            "verify-release", fix, "--index", url, "--against", "npm", "--rebuild"
        )
        notes.append(said.stdout.splitlines()[-1])
