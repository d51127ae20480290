"""`assets --upload` and `--publish`: `gh` against a GitHub on loopback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from scripts.github.assembled import verified
from scripts.github.listing import Listing
from scripts.github.upload import publish_release, upload_release
from scripts.model.plan import Plan
from tests.support.assets import LISTS, AssetsCommand, change_byte, must_only_read
from tests.support.github import GitHub, names


def test_assets_fill_a_draft_and_publish_it(
    upload: AssetsCommand, publish: AssetsCommand, github: GitHub, few: Path, version: str
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
    actual = github.assets(f"v{version}")
    assert actual == {name: (few / name).read_bytes() for name in names(few)}
    github.asked.clear()
    third = upload()
    assert third.returncode == 0
    assert "to be uploaded" not in third.stderr
    must_only_read(github)
    published = publish()
    assert published.returncode == 0, published.stderr
    assert published.stdout == f"{github.releases[0]['html_url']}\n"
    assert not github.releases[0]["draft"]
    assert not github.releases[0]["prerelease"]
    github.asked.clear()
    assert publish().returncode == 0
    assert upload().returncode == 0
    must_only_read(github)


def test_assets_downloads_what_github_states_no_digest_of(
    upload: AssetsCommand, github: GitHub, few: Path, version: str
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
    upload: AssetsCommand, github: GitHub, few: Path, version: str, notes: str
) -> None:
    github.create(f"v{version}", draft=True, notes=notes)
    process = upload()
    assert process.returncode == 0, process.stderr
    actual = github.releases[0]["body"]
    assert actual == ((notes.strip() and notes) or (few / "RELEASE_NOTES.md").read_text())
    assert set(github.assets(f"v{version}")) == names(few)
    assert len(github.releases) == 1


def test_assets_upload_refuses_a_release_that_is_out_and_lacks_files(
    upload: AssetsCommand, github: GitHub, version: str
) -> None:
    github.create(f"v{version}", draft=False)
    process = upload()
    assert process.returncode == 1
    assert f"error: the release `v{version}` is out on GitHub, and `" in process.stderr
    assert f"hint: if nobody relies on it: `gh release delete v{version}`" in process.stderr
    must_only_read(github)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stray.whl", "`stray.whl` is not of this release"),
        ("SHA256SUMS", "`SHA256SUMS`: sha256"),
    ],
)
def test_assets_refuse_a_draft_with_another_file(
    upload: AssetsCommand,
    publish: AssetsCommand,
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
        text = f"error: the draft of `v{version}` on GitHub has other files"
        assert text in process.stderr
        assert words in process.stderr
        assert f"hint: delete it, `gh release delete v{version}`" in process.stderr
    must_only_read(github)


def test_assets_publish_refuses_a_draft_that_is_not_complete(
    publish: AssetsCommand, github: GitHub, few: Path, version: str
) -> None:
    process = publish()
    assert process.returncode == 1
    count = len(names(few))
    assert f"`v{version}` on GitHub lacks {count} of {count} files" in process.stderr
    assert "`python3 -m scripts assets --upload`" in process.stderr
    must_only_read(github)


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


def test_assets_upload_refuses_a_release_with_other_bytes(
    upload: AssetsCommand, github: GitHub, version: str
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
    upload: AssetsCommand, github: GitHub, settings: dict[str, str], words: str, hint: str
) -> None:
    process = upload(**settings)
    assert process.returncode == 1
    assert f"error: {words}" in process.stderr
    assert hint in process.stderr
    assert "Traceback" not in process.stderr
    assert github.releases == []


@pytest.mark.parametrize(
    ("addition", "sums"), [((), "SHA256SUMS"), (("--add", "x"), "SHA256SUMS.x")]
)
def test_assets_dry_run_names_the_command_that_assembles(
    upload: AssetsCommand,
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


def test_assets_upload_needs_the_tag_on_github(
    upload: AssetsCommand, github: GitHub
) -> None:
    github.tags.clear()
    process = upload()
    assert process.returncode == 1
    assert "hint: push the tag first" in process.stderr
    assert github.releases == []


def test_assets_upload_refuses_an_unsigned_release(
    upload: AssetsCommand, few: Path, github: GitHub
) -> None:
    for name in LISTS:
        (few / f"{name}.minisig").unlink()
    process = upload()
    assert process.returncode == 1
    assert "error: refusing to upload an unsigned release" in process.stderr
    assert "`python3 -m scripts assets --sign --key FILE`" in process.stderr
    assert github.asked == []


def test_assets_dry_run_uploads_nothing(
    upload: AssetsCommand, github: GitHub, few: Path
) -> None:
    process = upload("--dry-run")
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("to be uploaded") == len(names(few))
    assert github.releases == []


def test_assets_upload_refuses_a_changed_folder(
    upload: AssetsCommand, github: GitHub, few: Path
) -> None:
    change_byte(few)
    process = upload()
    assert process.returncode == 1
    assert "linux-x64.tar.gz` is " in process.stderr
    assert "hint: assemble it again" in process.stderr
    assert github.asked == []
