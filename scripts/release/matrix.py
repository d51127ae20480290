"""The CI build matrix: the one table of platforms, joined with the runners that build for them."""

from __future__ import annotations

from leanspec_launcher._platforms import PLATFORMS

from .plan import read_plan

# Runners are named by version: an image that moves on raises the floor of what it builds.
RUNNERS = {
    "darwin-x64": "macos-15-intel",
    "darwin-arm64": "macos-15",
    "linux-x64": "ubuntu-24.04",
    "linux-arm64": "ubuntu-24.04-arm",
    "windows-x64": "windows-2025",
    "windows-arm64": "windows-11-arm",
}
# Linux is built for a glibc of its own, whatever the runner's is.
GLIBC = ".2.28"
DEV = "linux-x64"


def build_matrix(*, dev: bool = False) -> dict[str, list[dict[str, str]]]:
    """Return GitHub's `matrix`: for each platform of the release its key, runner and target."""
    wanted = [DEV] if dev else read_plan().platforms
    return {
        "include": [
            {
                "platform": key,
                "runner": RUNNERS[key],
                "target": PLATFORMS[key].target + (GLIBC if PLATFORMS[key].system == "linux" else ""),
                "artifact": f"binaries-{key}",
            }
            for key in wanted
        ]
    }
