"""The manifest of another release: what its wheels are, if one of this release's keys signed it."""

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path

from leanspec_launcher._pins import KEYS
from leanspec_launcher._release import Wheel
from leanspec_launcher._tables import Platform, Program
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.words import shown

from .signature import verify
from .transfer import save

NAME, SIGNATURE = "release.json", "release.json.minisig"
UNSIGNED = "none"
MOST_BYTES = 1 << 22
SHA256 = re.compile(r"[0-9a-f]{64}")
PLATFORM_WHEEL = "platform wheel"
SEEN = "seen.json"


def wheel_of(
    version: str, program: Program, platform: Platform, place: str, store: Path
) -> Wheel:
    """Return the wheel of another release for a platform, as its signed manifest names it.

    Raises CommandError if the manifest cannot be had, is not signed for this version, is older
    than one that was seen before, or names no such wheel.
    """
    if not KEYS:
        raise CommandError(
            "cannot verify another release: this one is not signed, and contains no key",
            hint=f"install that release instead: `lean-spec=={version}`",
        )
    with tempfile.TemporaryDirectory(dir=store, prefix=".manifest-") as work:
        data, statement = save_to(Path(work), version, place)
    wheels = _wheels(data, version)
    _must_not_be_older(statement.get("timestamp", ""), version, store)
    start = f"{program.distribution.replace('-', '_')}-{version}-"
    for wheel in wheels.get(platform.key, []):
        # The name becomes that of a file: a path in it would lead elsewhere.
        if wheel.name.startswith(start) and _is_sane(wheel):
            return wheel
    others = ", ".join(sorted(wheels)) or "no platform"
    raise CommandError(
        f"release {version} has no `{program.command}` for `{platform.key}`",
        hint=f"it has binaries for {others}",
    )


def save_to(folder: Path, version: str, place: str) -> tuple[bytes, dict[str, str]]:
    """Write a release's manifest and its signature into a folder; return it, and what is stated of it.

    Raises CommandError if it cannot be had, or is not signed for this version by a key of ours.
    """
    save(place, NAME, folder / NAME, MOST_BYTES)
    data = (folder / NAME).read_bytes()
    # Nothing is trusted yet: this is for a message that says more than a missing file.
    _must_be_signed(data, version)
    save(place, SIGNATURE, folder / SIGNATURE, MOST_BYTES)
    statement = verify(data, (folder / SIGNATURE).read_text("utf-8", "replace"), KEYS)
    # These words are signed, too: the list of another version cannot take this one's place.
    for name, expected in (("file", NAME), ("version", version), ("platform", "any")):
        if statement.get(name) != expected:
            raise _refused(f"its signature is for {name} `{statement.get(name)}`", version)
    return data, statement


def _must_be_signed(data: bytes, version: str) -> None:
    """Raise CommandError if a manifest says that its release is not signed: then nothing vouches for it here."""
    with contextlib.suppress(ValueError, RecursionError, AttributeError):
        if json.loads(data).get("signing") == UNSIGNED:
            raise CommandError(
                f"release {version} is not signed, so it cannot be fetched",
                hint=f"install it instead: `lean-spec=={version}`",
            )


def _wheels(data: bytes, version: str) -> dict[str, list[Wheel]]:
    """Return the platform wheels that a manifest names, by platform."""
    wheels: dict[str, list[Wheel]] = {}
    try:
        manifest = json.loads(data)
        named_version = str(manifest["version"])
        for asset in manifest["assets"]:
            if asset["kind"] == PLATFORM_WHEEL:
                name, sha256 = str(asset["name"]), str(asset["sha256"])
                wheel = Wheel(name, sha256, int(asset["size"]))
                wheels.setdefault(str(asset["platform"]), []).append(wheel)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _refused("it cannot be read", version) from None
    if named_version != version:
        raise _refused(f"it is of version `{named_version}`", version)
    return wheels


def _is_sane(wheel: Wheel) -> bool:
    is_plain = wheel.name.endswith(".whl") and not {"/", "\\"} & set(wheel.name)
    return is_plain and wheel.size > 0 and bool(SHA256.fullmatch(wheel.sha256))


def _must_not_be_older(timestamp: str, version: str, store: Path) -> None:
    """Refuse a manifest that a newer one of the same version has replaced; remember the newest."""
    if not timestamp.isascii() or not timestamp.isdigit():
        raise _refused("its signature states no time", version)
    path = store / SEEN
    try:
        newest_times = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        newest_times = {}
    except (OSError, ValueError):
        raise CommandError(
            f"`{path}` cannot be read", hint=f"remove `{shown([[str(path)]])}`"
        ) from None
    newest = newest_times.get(version, 0)
    if int(timestamp) < newest:
        raise _refused("it is older than one that was fetched before", version)
    if int(timestamp) > newest:
        # Replaced as a whole: a second fetch reads the former file or this one.
        new = path.with_name(f".{SEEN}-{os.getpid()}")
        new.write_text(json.dumps(newest_times | {version: int(timestamp)}), "utf-8")
        new.replace(path)


def _refused(reason: str, version: str) -> CommandError:
    return CommandError(
        f"the manifest of {version} is not trusted: {reason}",
        hint="name another place of that release: `--from`",
    )
