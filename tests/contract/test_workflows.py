"""Workflows: lawful, audited, and everything that they name is there."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from leanspec_launcher.commands import CommandError
from scripts.cli import root
from scripts.collect.desktop import REPOSITORY
from scripts.environment import ROOT, Group, needed_group
from scripts.model.repository import read_repository
from scripts.options import LONGEST_WAIT
from scripts.publish import matrix
from scripts.publish.matrix import (
    ANNOUNCEMENTS_READ,
    RUNNERS,
    RUST,
    build_matrix,
    endings,
    outputs,
)
from scripts.publish.publish import WAVES
from scripts.publish.registry import GO_MOD
from scripts.tools.lock import read_lock
from scripts.tools.processes import own_program
from tests.support.command_lines import unknown_words
from tests.support.rules import must_hold
from tests.support.surroundings import clean, run
from tests.support.workflow_picture import PICTURE, draw

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
RECIPE = ROOT / "docs/recipes/github-action.yml"


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the steps of a workflow's jobs, or of an action."""
    content = yaml.safe_load(path.read_text("utf-8"))
    for job in content.get("jobs", {}).values():
        yield from job["steps"]
    yield from content.get("runs", {}).get("steps", ())


def test_every_line_of_a_workflow_is_a_command_of_ours_that_exists() -> None:
    commands = [
        (path.name, line)
        for path in (*WORKFLOWS, *ACTIONS)
        for step in steps(path)
        for line in step.get("run", "").splitlines()
    ]
    assert len(commands) > 20
    start = re.compile(r".*?python3? -m scripts ")
    must_hold(
        f"{name}: `{line}` holds logic of its own"
        for name, line in commands
        if not start.match(line)
    )
    must_hold(
        f"{name}: `{line}`: {problem}"
        for name, line in commands
        for problem in unknown_words(root, shlex.split(start.sub("", line, count=1)))
    )


def test_actions_are_pinned_and_permissions_are_granted_one_by_one() -> None:
    must_hold(f"{path.name}: {text}" for path in WORKFLOWS for text in liberties(path))
    must_hold(
        f"{path}: `{use}` is not pinned"
        for path in (*WORKFLOWS, *ACTIONS)
        for use in (step.get("uses", "") for step in steps(path))
        if use and not re.search(r"@[0-9a-f]{40}$", use) and not is_ours(use)
    )


def is_ours(use: str) -> bool:
    """Tell whether an action is of the commit that the workflow is of, and exists."""
    path = ROOT / use.removeprefix("$/") / "action.yml"
    return use.startswith("$/.github/actions/") and path in ACTIONS


def liberties(path: Path) -> Iterator[str]:
    """Yield what a workflow leaves open."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    if workflow["permissions"] != {}:
        yield "grants permissions to every job"
    for name, job in workflow["jobs"].items():
        if "latest" in str(job["runs-on"]):
            yield f"{name}: its runner has no version"
        if "permissions" not in job:
            yield f"{name}: no permissions of its own"
        if job["timeout-minutes"] > 60:
            yield f"{name}: may take more than an hour"


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return found


def runners(path: Path) -> set[str]:
    """Return the images that the jobs of a workflow run on."""
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    names = {job["runs-on"] for job in jobs}
    for job in jobs:
        matrix = job.get("strategy", {}).get("matrix", {})
        if isinstance(matrix, dict):
            names |= {*matrix.get("runner", ()), *map(_runner, matrix.get("include", ()))}
    return {name for name in names if "${{" not in name}


def _runner(entry: dict[str, str]) -> str:
    return entry["runner"]


def test_no_runner_was_about_to_end_when_the_announcements_were_read() -> None:
    """As of that day, so that this suite stays as it is; `matrix` warns of what ends since."""
    used = {*RUNNERS.values(), *(name for path in WORKFLOWS for name in runners(path))}
    assert {"ubuntu-24.04", "windows-11-arm"} <= used
    assert endings(used, ANNOUNCEMENTS_READ) == []
    assert all("latest" not in name for name in used)


def test_matrix_warns_of_a_runner_that_ends_soon() -> None:
    used = {"ubuntu-22.04", "ubuntu-24.04"}
    assert endings(used, dt.date(2026, 10, 1)) == []
    warning = "the runner `ubuntu-22.04` ends on 2027-04-17"
    assert endings(used, ANNOUNCEMENTS_READ) == [warning]
    assert endings(used, dt.date(2030, 1, 1)) == [warning]


def test_matrix_prints_its_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matrix, "NOTICE", dt.timedelta(days=36500))
    matrix.outputs()
    ending = min(RUNNERS.values() & matrix.RETIRED.keys())
    assert f"warning: the runner `{ending}` ends on " in capsys.readouterr().err


def test_tests_run_on_every_image_that_builds() -> None:
    assert set(RUNNERS.values()) <= runners(FOLDER / "ci.yml")


def test_a_job_uses_only_outputs_that_another_job_has() -> None:
    """Jobs, outputs, artifacts: a wrong name would be an empty word on the day of the release."""
    jobs = read("publish.yml")["jobs"]
    text = (FOLDER / "publish.yml").read_text("utf-8")
    for job in jobs.values():
        assert set(job.get("needs", ())) <= set(jobs)
        named = set(re.findall(r"needs\.([\w-]+)\.", yaml.safe_dump(job)))
        assert named <= set(job.get("needs", ())), named
    given = {name: set(job.get("outputs", ())) for name, job in jobs.items()}
    for name, output in re.findall(r"needs\.([\w-]+)\.outputs\.([\w-]+)", text):
        assert output in given[name], output
    assert set(re.findall(r"steps\.plan\.outputs\.([\w-]+)", text)) == set(outputs())
    actual = {step["ref"] for step in checkouts(read_repository(key="sources").slug)}
    assert actual == {
        "${{ steps.plan.outputs.sources }}",
        "${{ needs.plan.outputs.sources }}",
    }
    entries = build_matrix()["include"]
    assert set(re.findall(r"matrix\.(\w+)", text)) <= set(entries[0])
    made = {
        step["with"]["name"]
        for step in steps(FOLDER / "publish.yml")
        if "upload-artifact" in step.get("uses", "")
    }
    assert made == {"${{ matrix.artifact }}", "dist", "assembled", "publisher", "release"}
    taken = {
        step["with"]["name"]
        for step in steps(FOLDER / "publish.yml")
        if "download-artifact" in step.get("uses", "") and "name" in step["with"]
    }
    assert taken == made - {"${{ matrix.artifact }}"}
    assert all(entry["artifact"].startswith("binaries-") for entry in entries)


def test_sources_are_named_in_full() -> None:
    """A branch that is called like the tag would be taken before it."""
    assert re.fullmatch(r"refs/(tags/v\d.*|heads/main)", outputs()["sources"])


def test_workflow_checks_out_the_sources_that_the_plan_names() -> None:
    places = {
        step["with"]["repository"]
        for step in steps(FOLDER / "publish.yml")
        if "repository" in step.get("with", {})
    }
    assert places == {read_repository(key="sources").slug, REPOSITORY}


def checkouts(repository: str) -> Iterator[dict[str, Any]]:
    for step in steps(FOLDER / "publish.yml"):
        if step.get("with", {}).get("repository") == repository:
            yield step["with"]


def test_the_paths_of_a_workflow_are_there() -> None:
    for path in WORKFLOWS:
        for step in steps(path):
            place = step.get("with", {}).get("path", "")
            if place.startswith("platform_wheels"):
                assert list(ROOT.glob(place.replace("/binaries/", "/pyproject.toml")))
            elif place and place != "leanspec":
                must_be_ignored(place)
    # A checkout's tree stays clean.
    for place in ("leanspec", "final-artifacts", "added-artifacts"):
        must_be_ignored(place)


def must_be_ignored(folder: str) -> None:
    subprocess.run(["git", "check-ignore", "-q", f"{folder}/x"], cwd=ROOT, check=True)


def test_the_picture_of_the_workflow_is_of_its_jobs() -> None:
    assert PICTURE.read_text("utf-8") == draw(), (
        "`.venv/bin/python -m tests.support.workflow_picture` draws it again"
    )


def test_no_release_job_uses_a_cache() -> None:
    assert "cache" not in (FOLDER / "publish.yml").read_text("utf-8")


def test_only_jobs_with_an_environment_have_a_token_to_publish() -> None:
    jobs = read("publish.yml")["jobs"]
    writers = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writers == {"sign", "publish", "release", "registry"}
    # The draft is published without asking anybody again: its job has no secret, and comes last.
    assert {name for name in writers if "environment" not in jobs[name]} == {"release"}
    assert jobs["release"]["permissions"] == {"contents": "write"}


# What starts a program of the release, or builds something.
STARTERS = ("test", "demo", "collect", "wheels", "check", "verify-release", "rehearse")
TOKEN = re.compile(r"\$\{\{ *(secrets\.|github\.token)")


def secret_steps() -> Iterator[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]:
    """Yield the jobs with a secret or a token: the steps beside it, and all steps."""
    for path in WORKFLOWS:
        jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
        for name, job in jobs.items():
            # An identity is in the environment of every step; a secret is where it is named.
            has_identity = job["permissions"].get("id-token") == "write"
            own = [
                step
                for step in job["steps"]
                if has_identity or TOKEN.search(yaml.safe_dump(step))
            ]
            if own:
                yield f"{path.name}: {name}", own, job["steps"]


def words_of(step: dict[str, Any]) -> list[str]:
    return shlex.split(step.get("run", "").removeprefix("python -m scripts "))


def test_no_step_beside_a_secret_starts_a_program_of_the_release_or_builds() -> None:
    jobs = {name: own for name, own, _ in secret_steps()}
    expected = ("sign", "publish", "release", "registry")
    assert [*jobs] == [f"publish.yml: {name}" for name in expected]
    for name, own in jobs.items():
        for words in map(words_of, own):
            assert not {"--build", *STARTERS} & set(words), (name, words)
            if words[:1] == ["publish"]:
                assert "--checked" in words, "without it, the gates run here"


def test_a_step_beside_a_secret_has_no_more_than_its_group() -> None:
    groups = {
        name.rpartition(" ")[2]: {
            needed_group(words) for words in map(words_of, own) if words
        }
        for name, own, _ in secret_steps()
    }
    assert groups == {
        "sign": {Group.SIGN},
        "publish": {Group.RELEASE},
        "release": {Group.SIGN},
        "registry": {Group.RELEASE},
    }
    assert len(read_lock(Group.SIGN.lock)) <= 16


def test_the_signing_tools_are_installed_before_the_key_is_there() -> None:
    for _, _, job_steps in secret_steps():
        secret = [step for step in job_steps if "secrets." in yaml.safe_dump(step)]
        for step in secret:
            before = job_steps[: job_steps.index(step)]
            groups = [needed_group(words_of(step)) for step in before if "run" in step]
            assert needed_group(words_of(step)) in groups


def test_a_reviewer_is_asked_before_the_first_upload_alone() -> None:
    jobs = read("publish.yml")["jobs"]
    correct = {"sign", "publish", "registry"}
    assert {name for name, job in jobs.items() if "environment" in job} == correct
    # The registry asks GitHub for files of the release, which has to be public.
    chain = ("publish", "verify", "release", "registry")
    for before, after in itertools.pairwise(chain):
        assert jobs[after]["needs"] == ["plan", before]


def test_publish_ends_its_waits_within_its_job() -> None:
    minutes = read("publish.yml")["jobs"]["publish"]["timeout-minutes"]
    (wait,) = (
        option for option in root.commands["publish"].params if option.name == "wait"
    )
    assert wait.default == LONGEST_WAIT
    assert len(WAVES) * LONGEST_WAIT <= (minutes - 15) * 60


def test_ci_cancels_the_run_of_a_pull_request_alone() -> None:
    concurrency = read("ci.yml")["concurrency"]
    is_pull_request = "github.event_name == 'pull_request'"
    assert concurrency["cancel-in-progress"] == f"${{{{ {is_pull_request} }}}}"
    group = f"ci-${{{{ {is_pull_request} && github.ref || github.sha }}}}"
    actual = concurrency["group"]
    assert actual == group, "a waiting run of the same group would be cancelled"


def test_a_bot_updates_what_the_workflows_name() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))[
        "updates"
    ]
    folders = {
        update["package-ecosystem"]: update.get("directories", [update.get("directory")])
        for update in updates
    }
    actual = {ROOT / folder[1:] / "action.yml" for folder in folders["github-actions"][1:]}
    assert actual == {*ACTIONS}
    assert (ROOT / folders["rust-toolchain"][0][1:]) == RUST.parent
    assert (ROOT / folders["gomod"][0][1:]) == GO_MOD.parent
    jobs = read("publish.yml")["jobs"]
    for name in ("build", "desktop"):
        assert jobs[name]["env"] == {"RUSTUP_TOOLCHAIN": "${{ needs.plan.outputs.rust }}"}


def test_zizmor_finds_nothing(tmp_path: Path) -> None:
    run(
        [
            *(own_program("zizmor"), "--offline", "--pedantic", "--no-progress"),
            *(*WORKFLOWS, *ACTIONS, RECIPE),
        ],
        clean(tmp_path),
    )


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    files = map(str, (*WORKFLOWS, RECIPE))
    command = [own_program("actionlint"), "-no-color", *files]
    run(command, clean(tmp_path), cwd=ROOT)


def check_schema(kind: str, *files: Path) -> list[str | Path]:
    schema = ("--builtin-schema", f"vendor.github-{kind}")
    return [own_program("check-jsonschema"), *schema, *files]


def test_workflows_keep_githubs_schema(tmp_path: Path) -> None:
    run(check_schema("workflows", *WORKFLOWS, RECIPE), clean(tmp_path))
    run(check_schema("actions", *ACTIONS), clean(tmp_path))


def test_the_linters_do_find_something(tmp_path: Path) -> None:
    bad = tmp_path / ".github/workflows/bad.yml"
    bad.parent.mkdir(parents=True)
    text = (FOLDER / "ci.yml").read_text("utf-8")
    bad.write_text(
        re.sub(r"@[0-9a-f]{40} # v[\d.]+", "@main", text).replace("runs-on", "runs_on", 1)
    )
    commands: tuple[list[str | Path], ...] = (
        [own_program("zizmor"), "--offline", "--no-progress", bad],
        [own_program("actionlint"), "-no-color", bad],
        check_schema("workflows", bad),
    )
    for command in commands:
        process = run(command, clean(tmp_path / "home"), code=None)
        assert process.returncode != 0, command[0]


@pytest.mark.parametrize("table", ["RUNNERS", "GLIBC"])
def test_matrix_names_the_table_that_lacks_a_platform(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, table, {})
    with pytest.raises(CommandError, match=f"`{table}` has no line for `") as caught:
        matrix.build_matrix()
    assert caught.value.hint == "add one in scripts/publish/matrix.py"
