"""Another release, by its signed manifest: what py-minisign signed is accepted, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.preconditions import require

# Not to be had on every system: see pyproject.toml.
require("cryptography")
require("httpx")
require("minisign")

from minisign import KeyPair

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.fetch import entries, manifest
from leanspec_launcher.manage.fetch.entries import WheelRequest, store_folder
from leanspec_launcher.manage.fetch.signature import verify
from scripts.github.signing import Claim, sign
from tests.support.downloads import Files, platform_wheel, serving, wheel_name
from tests.support.site import HOST, Site, script
from tests.support.surroundings import run

OTHER = "9.9.10"
OWN, NEXT, STRANGE = (KeyPair.generate() for _ in range(3))
CLAIM = Claim("release.json", OTHER, "any")


def public(pair: KeyPair) -> str:
    return pair.public_key.to_base64().decode()


def named(wheel: bytes, **other: object) -> dict[str, object]:
    """Return what a manifest says of a wheel."""
    asset = {
        "name": wheel_name("cli", OTHER),
        "kind": "platform wheel",
        "platform": HOST.key,
    }
    facts: dict[str, object] = {
        "sha256": hashlib.sha256(wheel).hexdigest(),
        "size": len(wheel),
    }
    return asset | facts | other


class Release:
    """Another release on a server."""

    def __init__(self, files: Files, folder: Path) -> None:
        self.files = files
        self.folder = folder
        self.wheel = platform_wheel("cli", script("echo newer"))
        self.files.content[wheel_name("cli", OTHER)] = self.wheel
        self.state({"version": OTHER, "assets": [named(self.wheel)]})

    def state(
        self, manifest: object, key: KeyPair = OWN, claim: Claim = CLAIM, at: int = 1000
    ) -> None:
        """Sign a manifest, as `assets` does."""
        path = self.folder / "release.json"
        path.write_text(json.dumps(manifest), "utf-8")
        signature = sign(path, key.secret_key, claim, at)
        for file in (path, signature):
            self.files.content[file.name] = file.read_bytes()


@pytest.fixture
def released(tmp_path: Path) -> Iterator[Release]:
    with serving() as files:
        yield Release(files, tmp_path)


@pytest.fixture
def release(site: Site, released: Release) -> Release:
    """Return a release that the site can trust."""
    site.keys = (public(OWN), public(NEXT))
    site.pin("cli", script())
    return released


def fetch(site: Site, release: Release, code: int | None = 0) -> str:
    """Fetch the other release; return where its program is, or what is wrong."""
    arguments = ("fetch", "cli", "--version", OTHER, "--from", release.files.url)
    process = site.manage(*arguments, code=code)
    return process.stdout if process.returncode == 0 else process.stderr


def fetch_here(place: str) -> None:
    """Fetch the other release in this process, as the command does."""
    wheel = manifest.wheel_of(OTHER, PROGRAMS["cli"], HOST, place, store_folder())
    entries.fetch(WheelRequest(wheel, PROGRAMS["cli"], HOST, place), pytest.fail)


@pytest.mark.long
@pytest.mark.posix
def test_another_release_is_fetched_and_not_installed(site: Site, release: Release) -> None:
    path = fetch(site, release).strip().partition(": ")[2]
    assert Path(path).read_bytes() == script("echo newer")
    assert site.start("cli", code=127).stdout == ""
    assert site.start("cli", env={"LEANSPEC_CLI_BINARY": path}).stdout == "newer\n"
    # The second time, the manifest is read again, and the wheel is there.
    requests = len(release.files.asked)
    fetch(site, release)
    assert release.files.asked[requests:] == ["/release.json", "/release.json.minisig"]


@pytest.mark.long
@pytest.mark.posix
def test_the_key_that_follows_is_trusted_too(site: Site, release: Release) -> None:
    release.state({"version": OTHER, "assets": [named(release.wheel)]}, key=NEXT)
    assert fetch(site, release).startswith("cli: ")
    # After the change, users of the older release alone know the older key.
    site.keys = (public(NEXT),)
    site.write_pins()
    release.state({"version": OTHER, "assets": [named(release.wheel)]}, key=OWN, at=2000)
    output = fetch(site, release, 1)
    assert "error: the manifest of that release is not trusted: it is signed with" in output
    assert "a key that this release does not know" in output
    assert "\nhint: " in output


def unsigned(release: Release) -> None:
    del release.files.content["release.json.minisig"]


def changed(release: Release) -> None:
    release.files.content["release.json"] += b" "


def state(
    manifest: object, key: KeyPair = OWN, claim: Claim = CLAIM
) -> Callable[[Release], None]:
    return lambda release: release.state(manifest, key, claim)


def of(**other: object) -> Callable[[Release], None]:
    """Name the wheel in another way."""
    return lambda release: release.state(
        {"version": OTHER, "assets": [named(release.wheel, **other)]}
    )


EMPTY: dict[str, object] = {"version": OTHER, "assets": []}
REFUSED: dict[str, tuple[Callable[[Release], None], str]] = {
    "unsigned": (unsigned, "status 404"),
    "that says so": (state(EMPTY | {"signing": "none"}), f"release {OTHER} is not signed, so"),
    "changed": (changed, "its signature does not match its content"),
    "of a stranger": (state(EMPTY, key=STRANGE), "does not know"),
    "renamed": (state(EMPTY, claim=Claim("SHA256SUMS", OTHER, "any")), "for file `SHA256SUMS`"),
    "of another version": (state(EMPTY, claim=Claim("release.json", "9.9.8", "any")), "for version `9.9.8`"),
    "that names another version": (state(EMPTY | {"version": "9.9.8"}), "it is of version `9.9.8`"),
    "for one platform": (state(EMPTY, claim=Claim("release.json", OTHER, "x")), "for platform `x`"),
    "of nothing": (state(EMPTY), "has no `leanspec`"),
    "no object": (state([]), "it cannot be read"),
    "no assets": (state({"version": OTHER}), "it cannot be read"),
    "of another platform": (of(platform="elsewhere"), "has binaries for elsewhere"),
    "a wheel with a folder": (of(name="../leanspec_cli_bin-9.9.10-x.whl"), "has no `leanspec`"),
    "a wheel without a digest": (of(sha256="x"), "has no `leanspec`"),
    "a wheel without a size": (of(size=None), "it cannot be read"),
    "a wheel of another digest": (of(sha256="0" * 64), "is not the expected one"),
    "a wheel of another size": (of(size=10), "is longer than the 10 bytes"),
}  # fmt: skip


@pytest.mark.posix
@pytest.mark.parametrize("how", REFUSED)
def test_fetch_version_refuses_a_manifest(
    released: Release, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "KEYS", (public(OWN), public(NEXT)))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    change, message = REFUSED[how]
    change(released)
    with pytest.raises(CommandError) as caught:
        fetch_here(released.files.url)
    assert caught.value.hint
    assert message in f"{caught.value}; {caught.value.hint}"
    store = store_folder()
    assert not list(store.rglob("*.whl"))
    assert not list(store.rglob("bin"))


@pytest.mark.long
@pytest.mark.posix
def test_fetch_version_refuses_an_older_manifest(site: Site, release: Release) -> None:
    release.state({"version": OTHER, "assets": [named(release.wheel)]}, at=2000)
    fetch(site, release)
    release.state({"version": OTHER, "assets": [named(release.wheel)]}, at=1999)
    output = fetch(site, release, 1)
    assert f"error: the manifest of {OTHER} is not trusted: it is older than one" in output


@pytest.mark.posix
def test_a_release_without_a_key_fetches_no_other(site: Site, release: Release) -> None:
    site.keys = ()
    site.write_pins()
    error = fetch(site, release, 1)
    assert "contains no key" in error
    assert "cannot verify another release: this one is not signed" in error
    assert release.files.asked == []


@pytest.mark.posix
def test_a_release_from_a_folder_needs_cryptography(
    site: Site, release: Release, tmp_path: Path
) -> None:
    for name, data in release.files.content.items():
        (tmp_path / name).write_bytes(data)
    missing = "sys.modules['httpx'] = sys.modules['cryptography'] = None"
    find = "import importlib.util; importlib.util.find_spec = lambda name: None"
    program = site.call("main", ".manage", f"{missing}; {find}")
    command = [sys.executable, "-c", program, "fetch", "cli", "--version", OTHER]
    process = run([*command, "--from", tmp_path], site.env, code=1)
    assert "`cryptography` is not installed" in process.stderr


def test_fetch_version_refuses_an_invalid_version(site: Site) -> None:
    site.pin("cli", script())
    versions = ("../x", "1/2", "latest", "", "1.0%2f", "\uff11")
    for process in site.manage_each(*(("fetch", "--version", text) for text in versions)):
        assert process.returncode == 2
        assert "is not the version of a release" in process.stderr


def test_none_of_a_thousand_changes_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.write_text(json.dumps(EMPTY), "utf-8")
    data = path.read_bytes()
    signature = sign(path, OWN.secret_key, CLAIM, 1000).read_text("utf-8")
    keys = (public(OWN), public(NEXT))
    stated = verify(data, signature, keys)
    assert stated["version"] == OTHER
    chance = random.Random(1)  # noqa: S311 - the same changes each time
    # The first line is a comment that nobody trusts.
    start = signature.index("\n") + 1
    accepted = []
    for _ in range(1000):
        parts = [bytearray(data), bytearray(signature.encode())]
        which = chance.randrange(2)
        at = chance.randrange(start * which, len(parts[which]))
        _change(parts[which], at, chance)
        if bytes(parts[0]) == data and bytes(parts[1]) == signature.encode():
            continue
        with contextlib.suppress(CommandError):
            verify(bytes(parts[0]), parts[1].decode("utf-8", "replace"), keys)
            accepted.append((which, at, bytes(parts[which])))
    # Without its last line's end, it is the same signature.
    actual = [each for each in accepted if each[2].strip() != signature.encode().strip()]
    assert actual == []


def _change(data: bytearray, at: int, chance: random.Random) -> None:
    """Flip a bit, leave out a byte, put one in, or end there."""
    way = chance.randrange(4)
    if way == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif way == 1:
        del data[at]
    elif way == 2:
        data.insert(at, chance.randrange(256))
    else:
        del data[at:]
