"""Verifying assembled assets before the upload: their checksums, signatures, and no other file."""

from __future__ import annotations

from pathlib import Path

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.model.plan import Plan

from .listing import NOTES, Listing
from .provenance import write_provenance
from .signing import SUFFIX, Claim, read_public, verify

AGAIN = "assemble it again: `python -m scripts assets ARTIFACTS`"


def verified(folder: Path, plan: Plan, bundle: Path | None, listing: Listing) -> list[Path]:
    """Return the files in the order of their upload: checksums and manifest come last.

    With `bundle`, the provenance of the files is one of them. Raises CommandError for a folder that
    is not whole, not signed with the key that the plan states, or of another version.
    """
    sums = _read_sums(folder, listing)
    provenance = listing.provenance(plan.version)
    if not any((folder / name).is_file() for name in listing.signatures):
        raise CommandError(
            "an unsigned release is not uploaded",
            hint="sign it: `assets ARTIFACTS --key FILE`",
        )
    known = {*sums, listing.sums, NOTES, provenance, *listing.signatures}
    for path in folder.iterdir():
        if path.name not in known:
            raise CommandError(
                f"`{path}` is not of this release: `{listing.sums}` has no such file",
                hint=AGAIN,
            )
    for name, wanted in sums.items():
        path = folder / name
        found = digest(str(path)) if path.is_file() else "missing"
        if found != wanted:
            raise CommandError(
                f"`{path}` is {found}, `{listing.sums}` states {wanted}", hint=AGAIN
            )
    for name in (listing.sums, listing.manifest):
        signature = folder / f"{name}{SUFFIX}"
        if not signature.is_file():
            raise CommandError(f"`{signature}` is missing", hint=AGAIN)
        claim = Claim(name, str(plan.version), "any")
        verify(
            folder / name,
            signature.read_text("utf-8", "replace"),
            read_public(plan.public_key),
            claim,
        )
    if bundle:
        write_provenance(bundle, folder / provenance, sums)
    last = [listing.manifest, listing.sums]
    signed = [name for each in last for name in (each, f"{each}{SUFFIX}")]
    first = sorted(set(sums) - {listing.manifest}) + ([provenance] if bundle else [])
    return [folder / name for name in [*first, *signed]]


def _read_sums(folder: Path, listing: Listing) -> dict[str, str]:
    add = f" --add {listing.addition}" if listing.addition else ""
    try:
        lines = (folder / listing.sums).read_text("utf-8").splitlines()
    except OSError:
        raise CommandError(
            f"nothing is assembled in `{folder}`, which is what `--upload` uploads: it has no `{listing.sums}`",
            hint=f"assemble it first: `python -m scripts assets ARTIFACTS{add} --key FILE`",
        ) from None
    pairs = [line.split("  ", 1) for line in lines]
    if not all(len(pair) == 2 and "/" not in pair[1] for pair in pairs):  # noqa: PLR2004 - digest and name
        raise CommandError(f"`{folder / listing.sums}` is damaged", hint=AGAIN)
    return {name: digest for digest, name in pairs}
