"""The provenance of a release's files, as GitHub attests it: an in-toto statement in a Sigstore bundle."""

import base64
import json
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.tools.replacing import replacing

SUFFIX = ".intoto.jsonl"
HINT = "give the file that `actions/attest` wrote: its output `bundle-path`"


def write_provenance(bundle: Path, target: Path, sums: dict[str, str]) -> None:
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
            f"`{bundle}` is not an attestation: {type(error).__name__}: {error}", hint=HINT
        ) from None
    for name, expected in sums.items():
        actual = attested.get(name, "nothing")
        if actual != expected:
            raise CommandError(
                f"`{bundle}` attests {actual} for `{name}`, which has the sha256 `{expected}`",
                hint=HINT,
            )
    with replacing(target) as new:
        # One line, as the format of JSON lines has it.
        line = json.dumps(content, separators=(",", ":"))
        new.write_text(f"{line}\n", "utf-8")
