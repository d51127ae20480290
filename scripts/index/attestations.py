"""Attestations (PEP 740): signed statements of which workflow built a file, which the index shows."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate

from leanspec_launcher.commands import CommandError
from scripts.model.files import ATTESTATION, File, read_files
from scripts.model.finding import Finding, compare, problem
from scripts.model.plan import Plan
from scripts.tools.processes import capture, must_succeed, own_program

from .client import Index, read_index

GATE = "attestation"
IDENTITY_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"
# The end of such a statement's type (PEP 740); it begins with the index that defined it.
PUBLISH_PREDICATE = "/attestations/publish/v1"


def attest(dist: Path) -> list[Path]:
    """Attest each file of a release, with the identity of the workflow that runs this.

    Raises CommandError outside a workflow: a person's identity must not sign.
    """
    files, _ = read_files(dist)
    if not files:
        raise CommandError(
            f"there are no built files in `{dist}`",
            hint="build first: `python -m scripts wheels`",
        )
    if IDENTITY_VARIABLE not in os.environ:
        raise CommandError(
            "no identity to attest with: this is not a job of a workflow with `id-token: write`",
            hint="let .github/workflows/publish.yml do it",
        )
    made = [_beside(file) for file in files]
    for path in made:
        path.unlink(missing_ok=True)
    command = [
        own_program("pypi-attestations"),
        "sign",
        *(str(file.path) for file in files),
    ]
    must_succeed(capture(command), "`pypi-attestations sign`")
    return made


def attestation_of(file: File) -> Path | None:
    """Return the path of a file's attestation; None if it has none."""
    path = _beside(file)
    return path if path.is_file() else None


def is_attested(plan: Plan, index: Index) -> bool:
    """Tell whether the plan requires attestations for an index, by name or by URL."""
    return any(read_index(name).upload == index.upload for name in plan.attestations)


def attested(files: list[File], *, required: bool) -> Iterator[Finding]:
    """Verify that each attestation is of its file, and signed with the key of its certificate.

    Whose key that is, and when it was signed, is for the index to verify: it knows the publisher.
    With `required`, every file must have one.
    """
    for file in files:
        path, wanted = attestation_of(file), f"{file.path.name} {file.sha256()}"
        if path is None and required:
            yield problem(
                GATE,
                file.path.name,
                "an attestation next to it",
                "none",
                hint="`python -m scripts attest`, in the workflow: it states whose release this is",
            )
        if path is None:
            continue
        try:
            yield compare(GATE, file.path.name, wanted, _attested_subject(path))
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            yield problem(
                GATE, file.path.name, "an attestation", f"{type(error).__name__}: {error}"
            )
        except InvalidSignature:
            yield problem(
                GATE,
                file.path.name,
                "an attestation",
                "its signature is not of the certificate in it",
            )


def _attested_subject(path: Path) -> str:
    """Return name and sha256 of the file that an attestation is of (PEP 740, Attestation objects).

    Raises ValueError, KeyError, IndexError, TypeError or InvalidSignature for what is none.
    """
    said = json.loads(path.read_text("utf-8"))
    statement = base64.b64decode(said["envelope"]["statement"], validate=True)
    signature = base64.b64decode(said["envelope"]["signature"], validate=True)
    material = said["verification_material"]
    certificate = load_der_x509_certificate(
        base64.b64decode(material["certificate"], validate=True)
    )
    key = certificate.public_key()
    if said["version"] != 1 or not material["transparency_entries"]:
        raise ValueError("not of version 1 with its entry in the transparency log")
    if not isinstance(key, EllipticCurvePublicKey):
        raise TypeError("a certificate with another kind of key")
    # What is signed is the statement with its type and length (DSSE, Protocol).
    kind = b"application/vnd.in-toto+json"
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)
    key.verify(signature, signed, ECDSA(SHA256()))
    stated = json.loads(statement)
    if not str(stated["predicateType"]).endswith(PUBLISH_PREDICATE):
        raise ValueError(f"of another kind: {stated['predicateType']}")
    (subject,) = stated["subject"]
    return f"{subject['name']} {subject['digest']['sha256']}"


def _beside(file: File) -> Path:
    return file.path.with_name(file.path.name + ATTESTATION)
