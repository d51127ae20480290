"""The provenance of a release's files, as GitHub attests it: an in-toto statement in a Sigstore bundle."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.tools.replacing import replacing

SUFFIX = ".intoto.jsonl"
HINT = "give the file that `actions/attest` wrote: its output `bundle-path`"


def provenance_name(version: object) -> str:
    """Return what the asset of a release is called."""
    return f"leanspec-{version}{SUFFIX}"


def write_provenance(bundle: Path, target: Path, sums: dict[str, str]) -> None:
    """Write a bundle as a release asset. Raises CommandError unless it attests every file in `sums`, by its sha256.

    Who signed it is for `gh attestation verify` to check, which knows the repository.
    """
    try:
        said = json.loads(bundle.read_text("utf-8"))
        statement = json.loads(
            base64.b64decode(said["dsseEnvelope"]["payload"], validate=True)
        )
        attested = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    except (OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
        raise CommandError(
            f"`{bundle}` is not an attestation: {type(error).__name__}: {error}", hint=HINT
        ) from None
    for name, digest in sums.items():
        if attested.get(name) != digest:
            found = attested.get(name, "nothing")
            raise CommandError(
                f"`{bundle}` attests {found} for `{name}`, which has the sha256 `{digest}`",
                hint=HINT,
            )
    with replacing(target) as new:
        new.write_text(json.dumps(said, separators=(",", ":")) + "\n", "utf-8")
