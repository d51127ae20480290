"""A GitHub release, by `gh`: a draft is filled, and published as it is. Nothing is ever replaced."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.model.plan import Plan
from scripts.tools.console import aligned, say, size, step
from scripts.tools.processes import TAIL, capture, find_program, must_succeed

from .listing import PROVENANCE

AGAIN = "run the same command again: it goes on from what GitHub has"
INSTALL = "install GitHub's client: https://cli.github.com"
NOT_LOGGED_IN = 4  # gh help exit-codes
FINISHED = "uploaded"
# A version for those who ask for it is not the one that GitHub shows as the latest.
EARLY = ("--prerelease", "--latest=false")
OURS = "repos/{owner}/{repo}/releases"  # `gh` puts in the repository's own


@dataclass(frozen=True)
class GithubRelease:
    """What GitHub has of a release."""

    draft: bool
    noted: bool
    """Whether it has notes."""
    immutable: bool
    """Whether it is out, and GitHub takes no further file for it."""
    url: str
    assets: dict[str, dict[str, Any]]


def find_client() -> str:
    """Return where `gh` is; raises CommandError if there is none."""
    gh = find_program("gh", INSTALL)
    say(f"using {gh}")
    return gh


def upload_release(
    gh: str, files: list[Path], plan: Plan, notes: Path | None, *, dry_run: bool
) -> str:
    """Upload the files that are missing to the draft of a release, in their order.

    A draft that is there already is continued. Without notes, the files are added to a release
    that is out. Returns its address. Raises CommandError, before the first upload, if `gh` is not
    logged in, if the release has other bytes under one of the names, or if it cannot be changed.
    """
    tag = f"v{plan.version}"
    release = _find(gh, tag)
    if notes is None and (release is None or release.draft):
        raise CommandError(
            f"no release `{tag}` is out on GitHub: nothing can be added to it",
            hint="upload the release itself first: `python3 -m scripts assets --upload`",
        )
    there = _same_bytes(gh, tag, release, files) if release else set()
    missing = [path for path in files if path.name not in there]
    _must_be_mutable(release, tag, missing, addition=notes is None)
    table = []
    for path in files:
        state = "there already" if path.name in there else "to be uploaded"
        table.append([state, f"{size(path.stat().st_size):>8}", path.name])
    for line in aligned(table, indent="  "):
        say(line)
    if dry_run:
        return "a dry run: nothing was uploaded"
    if release is not None:
        _remove_unfinished(gh, release, files)
    elif notes is not None:
        _create(gh, tag, plan, notes)
    for path in missing:
        with step(f"uploading {path.name}"):
            run = capture([gh, "release", "upload", tag, str(path)])
            must_succeed(run, f"`gh release upload` of `{path.name}`", AGAIN)
    release = _find_complete(gh, tag, files)
    if notes is not None and not release.noted:
        _edit(gh, tag, "--notes-file", str(notes))
    return release.url


def publish_release(gh: str, files: list[Path], plan: Plan) -> str:
    """Publish the draft of a release, if it has exactly these files; return its address."""
    tag = f"v{plan.version}"
    if _find_complete(gh, tag, files).draft:
        is_early = plan.version.is_prerelease
        _edit(gh, tag, "--draft=false", *(EARLY if is_early else ()))
    release = _find_complete(gh, tag, files)
    if release.draft:
        raise CommandError(f"GitHub still shows `{tag}` as a draft", hint=AGAIN)
    return release.url


def _edit(gh: str, tag: str, *changes: str) -> None:
    command = [gh, "release", "edit", tag, *changes]
    must_succeed(capture(command), "`gh release edit`", AGAIN)


def _find_complete(gh: str, tag: str, files: list[Path]) -> GithubRelease:
    """Return a release with every file; raises CommandError if one is missing, or another is in a draft."""
    release = _find(gh, tag)
    there = _same_bytes(gh, tag, release, files) if release else set()
    missing = [path.name for path in files if path.name not in there]
    if release is None or missing:
        raise CommandError(
            f"`{tag}` on GitHub lacks {len(missing)} of {len(files)} files, such as `{missing[0]}`",
            hint=f"{AGAIN}; `python3 -m scripts assets --upload` makes the draft",
        )
    return release


def _must_be_mutable(
    release: GithubRelease | None, tag: str, missing: list[Path], *, addition: bool
) -> None:
    """Raise CommandError if files are missing in a release that is to stay as it is."""
    if release is None or release.draft or not missing:
        return
    if not addition:
        raise CommandError(
            f"the release `{tag}` is out on GitHub, and `{missing[0].name}` is not in it",
            hint=f"if nobody relies on it: `gh release delete {tag}`; this command then makes a draft",
        )
    if release.immutable:
        raise CommandError(
            f"the release `{tag}` on GitHub is immutable, nothing was uploaded",
            details=[f"`{path.name}` is not in it" for path in missing],
            hint="no file can be added to it: publish these with the next version",
        )


def _create(gh: str, tag: str, plan: Plan, notes: Path) -> None:
    command = [gh, "release", "create", tag, "--draft", "--verify-tag"]
    command += ["--title", f"LeanSpec {plan.version}", "--notes-file", str(notes)]
    command += EARLY if plan.version.is_prerelease else ()
    hint = f"push the tag first: `git push origin {tag}`"
    with step(f"making the draft of {tag}"):
        must_succeed(capture(command), "`gh release create`", hint)


def _find(gh: str, tag: str) -> GithubRelease | None:
    """Return a release by its tag, a draft too, which only the list shows."""
    query = f'.[] | select(.tag_name == "{tag}")'
    pages = capture([gh, "api", "--paginate", f"{OURS}?per_page=100", "--jq", query])
    if pages.returncode == NOT_LOGGED_IN or "(HTTP 401)" in pages.stderr:
        raise CommandError(
            "`gh` is not logged in", hint="log in: `gh auth login`, or set `GH_TOKEN`"
        )
    must_succeed(
        pages,
        "asking GitHub for its releases",
        "in a clone of the repository, or with `GH_REPO`, try `gh api`",
    )
    releases = [json.loads(line) for line in pages.stdout.splitlines() if line]
    if not releases:
        return None
    if len(releases) > 1:
        raise CommandError(
            f"there are {len(releases)} releases of `{tag}` on GitHub",
            hint="delete all but one: `gh release delete`",
        )
    (release,) = releases
    return GithubRelease(
        draft=release["draft"],
        noted=bool((release["body"] or "").strip()),
        immutable=bool(release.get("immutable")),
        url=release["html_url"],
        assets={asset["name"]: asset for asset in release["assets"]},
    )


def _same_bytes(gh: str, tag: str, release: GithubRelease, files: list[Path]) -> set[str]:
    """Return which files GitHub has, byte for byte.

    Raises CommandError if one has other bytes, or if a draft has a file that is not of the release.
    """
    same, wrong = set(), []
    if release.draft:
        strays = release.assets.keys() - {path.name for path in files}
        wrong += [f"`{name}` is not of this release" for name in sorted(strays)]
    for path in files:
        name = path.name
        asset = release.assets.get(name)
        if asset is None or asset["state"] != FINISHED:
            continue
        if name.endswith(PROVENANCE):
            # Each run makes a new attestation, and the first one is just as valid.
            same.add(name)
            continue
        actual, expected = _sha256(gh, asset), digest(str(path))
        if actual == expected:
            same.add(name)
        else:
            wrong.append(f"`{name}`: sha256 `{actual}`, ours is `{expected}`")
    if wrong and release.draft:
        raise CommandError(
            f"the draft of `{tag}` on GitHub has other files",
            details=wrong,
            hint=f"delete it, `gh release delete {tag}`, and let the job that signs make it again",
        )
    if wrong:
        raise CommandError(
            "the release on GitHub has other bytes, nothing was uploaded",
            details=wrong,
            hint="a published file is never replaced: bump to a higher version, or, for desktop bundles that came"
            " later, `python3 -m scripts assets ARTIFACTS --add NAME`",
        )
    return same


def _remove_unfinished(gh: str, release: GithubRelease, files: list[Path]) -> None:
    """Delete assets of ours that an interrupted upload left without content."""
    for name in {path.name for path in files} & release.assets.keys():
        asset = release.assets[name]
        if asset["state"] != FINISHED:
            command = [gh, "api", "--method", "DELETE", f"{OURS}/assets/{asset['id']}"]
            must_succeed(capture(command), f"removing the unfinished `{name}`", AGAIN)


def _sha256(gh: str, asset: dict[str, Any]) -> str:
    """Return an asset's sha256 as GitHub states it; computed from a download if it states none."""
    kind, _, sha256 = str(asset.get("digest")).partition(":")
    if kind == "sha256":
        return sha256
    accept = "Accept: application/octet-stream"
    command = [gh, "api", "-H", accept, f"{OURS}/assets/{asset['id']}"]
    # Not by `capture`, which reads text.
    download = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if download.returncode != 0:
        lines = download.stderr.decode("utf-8", "replace").splitlines()[-TAIL:]
        raise CommandError(
            f"`{asset['name']}` cannot be fetched from GitHub", details=lines, hint=AGAIN
        )
    return hashlib.sha256(download.stdout).hexdigest()
