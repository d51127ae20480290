"""Lists of a release's files: the manifest and the checksums, both signed; and of files that were added later."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from minisign import SecretKey

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.gates.commit import Commit
from scripts.model.files import FileKind
from scripts.model.plan import MINISIGN, UNSIGNED, Plan
from scripts.model.versions import binary_version
from scripts.tools.work_folder import PREFIX as IN_PROGRESS
from scripts.tools.work_folder import work_folder

from .signing import SUFFIX, Claim, read_public, sign, verify

NOTES = "RELEASE_NOTES.md"
# An in-toto statement in a Sigstore bundle, as GitHub attests files.
PROVENANCE = ".intoto.jsonl"


class AssetKind(StrEnum):
    """A kind of file in a GitHub release."""

    ARCHIVE = "archive"
    BILL_OF_MATERIALS = "bill of materials"
    BUNDLE = "desktop bundle"
    MCP_BUNDLE = "MCP bundle"


@dataclass(frozen=True)
class Asset:
    """One file of a release, as its manifest describes it."""

    name: str
    kind: AssetKind | FileKind
    platform: str | None
    size: int
    sha256: str
    facts: dict[str, Any] = field(default_factory=dict)


def describe(
    path: Path, kind: AssetKind | FileKind, platform: str | None, facts: dict[str, Any]
) -> Asset:
    """Return what a manifest says of a file."""
    return Asset(
        name=path.name,
        kind=kind,
        platform=platform,
        size=path.stat().st_size,
        sha256=digest(str(path)),
        facts=facts,
    )


@dataclass(frozen=True)
class Listing:
    """The list of a release's files, or, with a name, of files that were added to it later."""

    addition: str = ""

    @property
    def sums(self) -> str:
        """The name of the checksums."""
        return f"SHA256SUMS.{self.addition}" if self.addition else "SHA256SUMS"

    @property
    def manifest(self) -> str:
        """The name of the manifest."""
        return f"release.{self.addition}.json" if self.addition else "release.json"

    @property
    def signatures(self) -> tuple[str, str]:
        """The names of both signatures."""
        return f"{self.sums}{SUFFIX}", f"{self.manifest}{SUFFIX}"

    def provenance(self, version: object) -> str:
        """Return the name of the attestation of these files."""
        addition = f"-{self.addition}" if self.addition else ""
        return f"leanspec-{version}{addition}{PROVENANCE}"

    def write(
        self,
        folder: Path,
        assets: Iterable[Asset],
        plan: Plan,
        commit: str,
        facts: dict[str, Any],
    ) -> None:
        """Write the manifest, then the checksums of everything, as `sha256sum --check` reads them."""
        assets = sorted(assets, key=lambda asset: asset.name)
        manifest = {
            "name": "LeanSpec",
            "version": str(plan.version),
            "binaries": binary_version(plan.version),
            "tag": f"v{plan.version}",
            "commit": commit,
            "signing": MINISIGN if plan.public_key else UNSIGNED,
            "public_key": plan.public_key or None,
            **facts,
            "assets": [asdict(asset) for asset in assets],
        }
        text = json.dumps(manifest, indent=2) + "\n"
        (folder / self.manifest).write_text(text, "utf-8")
        names = [*(asset.name for asset in assets), self.manifest]
        lines = [f"{digest(str(folder / name))}  {name}\n" for name in names]
        (folder / self.sums).write_text("".join(lines), "utf-8")

    def sign(self, folder: Path, key: SecretKey, plan: Plan, commit: Commit) -> None:
        """Sign the checksums and the manifest, and verify both with the key that the plan states."""
        for name in (self.sums, self.manifest):
            claim = Claim(name, str(plan.version))
            # With the commit's time, the same release has the same signature, and an upload can be
            # continued.
            signature = sign(folder / name, key, claim, commit.time).read_text("utf-8")
            verify(folder / name, signature, read_public(plan.public_key), claim)

    @contextlib.contextmanager
    def new_folder(self, out: Path) -> Iterator[Path]:
        """Give an empty folder, whose files take the place of an earlier run's in `out`.

        Raises CommandError if `out` contains anything else: it would be deleted.
        """
        names = {path.name for path in out.iterdir()} if out.exists() else set()
        present = {name for name in names if not name.startswith(IN_PROGRESS)}
        strange = present - self._listed_before(out / self.manifest)
        if strange:
            raise CommandError(
                f"`{out}` contains `{min(strange)}`, which this command did not write",
                hint="name an empty folder",
            )
        with work_folder(out) as folder:
            new = folder / "new"
            new.mkdir()
            yield new
            names = {path.name for path in new.iterdir()}
            # The manifest last: it states which files an earlier run wrote.
            for name in (*sorted(names - {self.manifest}), self.manifest):
                (new / name).replace(out / name)
            for path in out.iterdir():
                if path.is_file() and path.name not in names:
                    path.unlink()

    def _listed_before(self, manifest: Path) -> set[str]:
        """Return the names of the files that an earlier run wrote."""
        try:
            content = json.loads(manifest.read_text("utf-8"))
            names = {str(asset["name"]) for asset in content["assets"]}
            names.add(self.provenance(content["version"]))
        except (OSError, ValueError, KeyError, TypeError):
            return set()
        return names | {self.manifest, self.sums, NOTES, *self.signatures}


def must_be_key_of_plan(plan: Plan, key: SecretKey) -> None:
    """Raise CommandError unless a secret key is that of the public key in the plan."""
    public_key = key.get_public_key().to_base64().decode()
    if not plan.public_key:
        raise CommandError(
            f'`signing = "{UNSIGNED}"` in [tool.leanspec-release] of `pyproject.toml`: nobody could check a signature',
            hint=f'state the key in its place: `public-key = "{public_key}"`',
        )
    if public_key != plan.public_key:
        raise CommandError(
            f"the secret key is of `{public_key}`, and `pyproject.toml` states `{plan.public_key}`",
            hint="sign with the key that the users know",
        )
