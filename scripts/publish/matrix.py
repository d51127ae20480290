"""What a workflow needs to know: the version, and the matrix of machines that build it."""

import datetime as dt
import json
import os
import tomllib
from pathlib import Path

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.model.plan import read_plan
from scripts.model.versions import binary_version
from scripts.tools.console import say

# Runners are named by version: an image that moves on could change what it builds.
RUNNERS = {
    "darwin-x64": "macos-15-intel",
    "darwin-arm64": "macos-15",
    "linux-x64": "ubuntu-24.04",
    "linux-arm64": "ubuntu-24.04-arm",
    "windows-x64": "windows-2025",
    "windows-arm64": "windows-11-arm",
}
# The images that end, by the announcements in the issues of github.com/actions/runner-images.
RETIRED = {
    "macos-12": dt.date(2024, 12, 3),  # 10721
    "macos-13": dt.date(2025, 12, 8),  # 13046
    "macos-14": dt.date(2026, 11, 2),  # 13518
    "macos-15-intel": dt.date(2027, 8, 1),  # 13045: "until August 2027"
    "ubuntu-20.04": dt.date(2025, 4, 15),  # 11101
    "ubuntu-22.04": dt.date(2027, 4, 17),  # 14254
    "ubuntu-22.04-arm": dt.date(2027, 4, 17),  # 14254
    "windows-2019": dt.date(2025, 6, 30),  # 12045
}
# The day on which somebody last read the announcements.
ANNOUNCEMENTS_READ = dt.date(2026, 11, 29)
# How long before its end an image is no longer used: brownouts begin some weeks earlier.
NOTICE = dt.timedelta(days=180)
# Linux is built for the oldest glibc that Rust supports, whatever the runner's is. OpenSSL is linked
# in statically, built for the same one.
GLIBC = {"linux-x64": "2.17", "linux-arm64": "2.17"}
RUST = ROOT / ".github/rust/rust-toolchain.toml"
OUTPUT_VARIABLE = "GITHUB_OUTPUT"
Matrix = dict[str, list[dict[str, str]]]


def build_matrix() -> Matrix:
    """Return GitHub's `matrix`: for each platform of the release its key, runner, target and artifact."""
    return _matrix(read_plan().platforms, "binaries")


def outputs() -> dict[str, str]:
    """Return the outputs of a workflow's first job, all derived from the tree's version.

    Warns of runners that end soon.
    """
    for line in endings(set(RUNNERS.values()), dt.datetime.now(tz=dt.UTC).date()):
        say(f"warning: {line}: choose another one in {Path(__file__).name}")
    plan = read_plan()
    toolchain = tomllib.loads(RUST.read_text("utf-8"))["toolchain"]
    dev, binaries = plan.version.is_devrelease, binary_version(plan.version)
    return {
        "version": str(plan.version),
        "dev-version": str(plan.version) if dev else "",
        "is-signed": json.dumps(bool(plan.public_key)),
        "rust": toolchain["channel"],
        "index": "testpypi" if dev else "pypi",
        # The ref of LeanSpec's sources: a packaging-only fix has those of its base. In full,
        # because git would take a branch of the tag's name before the tag.
        "sources": "refs/heads/main" if dev else f"refs/tags/v{binaries}",
        "matrix": json.dumps(build_matrix()),
        "desktop": json.dumps(_matrix(plan.desktop, "desktop")),
        "has-desktop": json.dumps(bool(plan.desktop)),
    }


def endings(runners: set[str], today: dt.date) -> list[str]:
    """Return a line for each runner that has ended, or ends soon."""
    return [
        f"the runner `{runner}` ends on {RETIRED[runner]}"
        for runner in sorted(runners & RETIRED.keys())
        if RETIRED[runner] - today < NOTICE
    ]


def write_outputs(values: dict[str, str]) -> None:
    """Append outputs to the file that GitHub names. Raises CommandError outside a workflow."""
    name = os.environ.get(OUTPUT_VARIABLE)
    if not name:
        raise CommandError(
            f"`{OUTPUT_VARIABLE}` is not set: this is not a step of a workflow",
            hint="leave `--github-output` out",
        )
    with Path(name).open("a", encoding="utf-8") as file:
        file.writelines(f"{key}={value}\n" for key, value in values.items())


def build_target(key: str) -> str:
    """Return the target that a release builds a platform for: on Linux, with its glibc."""
    platform = PLATFORMS[key]
    if platform.system != "linux":
        return platform.target
    return f"{platform.target}.{_entry(GLIBC, key)}"


def _entry(table: dict[str, str], key: str) -> str:
    """Return the entry of a platform in a table of this module; raises CommandError if it has none."""
    if key not in table:
        name = "RUNNERS" if table is RUNNERS else "GLIBC"
        raise CommandError(
            f"`{name}` has no line for `{key}`",
            hint=f"add one in scripts/publish/{Path(__file__).name}",
        )
    return table[key]


def _matrix(platforms: tuple[str, ...], artifact: str) -> Matrix:
    return {
        "include": [
            {
                "platform": key,
                "runner": _entry(RUNNERS, key),
                "target": build_target(key),
                "artifact": f"{artifact}-{key}",
            }
            for key in platforms
        ]
    }
