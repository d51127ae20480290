"""Verifying assembled assets before the upload: their checksums, signatures, and no other file."""

from __future__ import annotations

from pathlib import Path

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.model.plan import Plan

from .assemble import MANIFEST, NOTES, SUMS
from .provenance import provenance_name, write_provenance
from .signing import SUFFIX, Claim, read_public, verify

AGAIN = "assemble it again: `python -m scripts assets ARTIFACTS`"


def verified(folder: Path, plan: Plan, bundle: Path | None) -> list[Path]:
    """Return the files in the order of their upload: checksums and manifest come last.

    With `bundle`, the provenance of the files is one of them. Raises CommandError for a folder that
    is not whole, not signed with the key that the plan states, or of another version.
    """
    sums = _read_sums(folder)
    signatures = [f"{SUMS}{SUFFIX}", f"{MANIFEST}{SUFFIX}"]
    provenance = provenance_name(plan.version)
    if not any((folder / name).is_file() for name in signatures):
        raise CommandError(
            "an unsigned release is not uploaded",
            hint="sign it: `assets ARTIFACTS --key FILE`",
        )
    known = {*sums, SUMS, NOTES, provenance, *signatures}
    for path in folder.iterdir():
        if path.name not in known:
            raise CommandError(
                f"`{path}` is not of this release: `{SUMS}` has no such file", hint=AGAIN
            )
    for name, wanted in sums.items():
        path = folder / name
        found = digest(str(path)) if path.is_file() else "missing"
        if found != wanted:
            raise CommandError(f"`{path}` is {found}, `{SUMS}` states {wanted}", hint=AGAIN)
    for name in (SUMS, MANIFEST):
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
    last = [MANIFEST, f"{MANIFEST}{SUFFIX}", SUMS, f"{SUMS}{SUFFIX}"]
    first = sorted(set(sums) - {MANIFEST}) + ([provenance] if bundle else [])
    return [folder / name for name in [*first, *last]]


def _read_sums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except OSError:
        raise CommandError(
            f"there is no `{SUMS}` in `{folder}`: nothing is assembled there", hint=AGAIN
        ) from None
    pairs = [line.split("  ", 1) for line in lines]
    if not all(len(pair) == 2 and "/" not in pair[1] for pair in pairs):  # noqa: PLR2004 - digest and name
        raise CommandError(f"`{folder / SUMS}` is damaged", hint=AGAIN)
    return {name: digest for digest, name in pairs}
