"""Assembled assets: their fingerprint, their signatures, and what is verified before each of both and the upload."""

import base64
import hashlib
import json
from pathlib import Path

from minisign import SecretKey

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.environment import ROOT
from scripts.gates.commit import commit_of
from scripts.model.plan import Plan
from scripts.tools.work_folder import replacing

from .listing import NOTES, Listing, must_be_key_of_plan
from .signing import SUFFIX, Claim, read_public, verify

BUNDLE_HINT = "give the file that `actions/attest` wrote: its output `bundle-path`"
AGAIN = "assemble it again: `python3 -m scripts assets ARTIFACTS`"


def fingerprint(folder: Path) -> str:
    """Return one SHA-256 for everything in the folder of a release but its signatures."""
    digests = [digest(str(folder / name)) for name in (Listing().sums, NOTES)]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()


def must_be_as_checked(folder: Path, plan: Plan, expected: str) -> None:
    """Raise CommandError unless the folder of a release contains what `check` has assembled."""
    intact(folder, plan, Listing())
    actual = fingerprint(folder)
    if actual != expected:
        raise CommandError(
            f"the fingerprint of `{folder}` is {actual}, that of what was checked is {expected}",
            hint="take the files and the fingerprint of the same `check`",
        )


def sign_assembled(
    folder: Path, plan: Plan, key: SecretKey, listing: Listing, root: Path = ROOT
) -> None:
    """Sign both lists of an intact folder with the key that the plan states."""
    must_be_key_of_plan(plan, key)
    intact(folder, plan, listing)
    listing.sign(folder, key, plan, commit_of(root))


def intact(folder: Path, plan: Plan, listing: Listing) -> dict[str, str]:
    """Return the checksums of a folder's files. Raises CommandError for other bytes, or another file."""
    sums = _read_sums(folder, listing)
    signatures = listing.signatures if plan.public_key else ()
    names = {*sums, listing.sums, NOTES, listing.provenance(plan.version), *signatures}
    for path in folder.iterdir():
        if path.name not in names:
            raise CommandError(
                f"`{path}` is not of this release: `{listing.sums}` has no such file",
                hint=AGAIN,
            )
    for name, expected in sums.items():
        path = folder / name
        actual = digest(str(path)) if path.is_file() else "missing"
        if actual != expected:
            raise CommandError(
                f"`{path}` is {actual}, `{listing.sums}` states {expected}", hint=AGAIN
            )
    return sums


def verified(folder: Path, plan: Plan, bundle: Path | None, listing: Listing) -> list[Path]:
    """Return the files in the order of their upload: checksums and manifest come last.

    With `bundle`, the provenance of the files is written first. Raises CommandError for a folder
    that is not whole, of another version, or not signed with the key that the plan states.
    """
    sums = intact(folder, plan, listing)
    if plan.public_key:
        _must_be_signed(folder, plan, listing)
    provenance = folder / listing.provenance(plan.version)
    if bundle:
        _write_provenance(bundle, provenance, sums)
    first = [folder / name for name in sorted(set(sums) - {listing.manifest})]
    first += [provenance] if provenance.is_file() else []
    suffixes = ("", SUFFIX) if plan.public_key else ("",)
    lists = (listing.manifest, listing.sums)
    return first + [folder / f"{name}{suffix}" for name in lists for suffix in suffixes]


def _write_provenance(bundle: Path, target: Path, sums: dict[str, str]) -> None:
    """Write a bundle as a release asset. Raises CommandError unless it attests every file in `sums`, by its sha256.

    Who signed it is for `gh attestation verify` to check, which knows the repository.
    """
    try:
        content = json.loads(bundle.read_text("utf-8"))
        payload = base64.b64decode(content["dsseEnvelope"]["payload"], validate=True)
        subjects = json.loads(payload)["subject"]
        attested = {subject["name"]: subject["digest"]["sha256"] for subject in subjects}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"`{bundle}` is not an attestation: {type(error).__name__}: {error}",
            hint=BUNDLE_HINT,
        ) from None
    for name, expected in sums.items():
        actual = attested.get(name, "nothing")
        if actual != expected:
            raise CommandError(
                f"`{bundle}` attests {actual} for `{name}`, which has the sha256 `{expected}`",
                hint=BUNDLE_HINT,
            )
    with replacing(target) as new:
        # One line, as the format of JSON lines has it.
        line = json.dumps(content, separators=(",", ":"))
        new.write_text(f"{line}\n", "utf-8")


def _must_be_signed(folder: Path, plan: Plan, listing: Listing) -> None:
    """Raise CommandError unless the key of the plan has signed both lists."""
    if not any((folder / name).is_file() for name in listing.signatures):
        raise CommandError(
            "refusing to upload an unsigned release",
            hint="sign it: `python3 -m scripts assets --sign --key FILE`",
        )
    for name in (listing.sums, listing.manifest):
        signature = folder / f"{name}{SUFFIX}"
        if not signature.is_file():
            raise CommandError(f"`{signature}` is missing", hint=AGAIN)
        text = signature.read_text("utf-8", "replace")
        claim = Claim(name, str(plan.version))
        verify(folder / name, text, read_public(plan.public_key), claim)


def _read_sums(folder: Path, listing: Listing) -> dict[str, str]:
    add = f" --add {listing.addition}" if listing.addition else ""
    try:
        lines = (folder / listing.sums).read_text("utf-8").splitlines()
    except OSError:
        raise CommandError(
            f"nothing is assembled in `{folder}`: it has no `{listing.sums}`",
            hint=f"assemble it first: `python3 -m scripts assets ARTIFACTS{add}`",
        ) from None
    pairs = [line.split("  ", 1) for line in lines]
    if not all(len(pair) == 2 and "/" not in pair[1] for pair in pairs):  # noqa: PLR2004 - digest and name
        raise CommandError(f"`{folder / listing.sums}` is damaged", hint=AGAIN)
    return {name: digest for digest, name in pairs}
