"""Attestations (PEP 740): signed statements of which workflow built a file, which the index shows."""

import base64
import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_der_x509_certificate

from leanspec_launcher.commands import CommandError
from scripts.model.files import ATTESTATIONS, PUBLISH, SLSA, File, read_files
from scripts.model.finding import LONGEST_REASON, Finding, compare, problem
from scripts.model.plan import Plan
from scripts.tools.reasons import reason

from .client import Index, predicate_types, read_index

GATE = "attestation"
IDENTITY_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"
HINT = "let .github/workflows/publish.yml do it"
STATEMENT = "https://in-toto.io/Statement/v1"
# The ends of the statements' types (PEP 740, Attestation statement); the index defined the first.
PREDICATES = {PUBLISH: "/attestations/publish/v1", SLSA: "slsa.dev/provenance/v1"}
BUILD_TYPE = "https://actions.github.io/buildtypes/workflow/v1"
WORKFLOW_VARIABLES = (
    *("SERVER_URL", "REPOSITORY", "REPOSITORY_ID", "REPOSITORY_OWNER_ID", "WORKFLOW_REF"),
    *("REF", "SHA", "EVENT_NAME", "RUN_ID", "RUN_ATTEMPT"),
)


def attest(dist: Path) -> list[Path]:
    """Attest each file of a release, with the identity of the workflow that runs this.

    Each gets one attestation of each kind. Raises CommandError outside a workflow: a person's
    identity must not sign.
    """
    files, _ = read_files(dist)
    if not files:
        raise CommandError(
            f"there are no built files in `{dist}`",
            hint="build first: `python3 -m scripts wheels`",
        )
    if IDENTITY_VARIABLE not in os.environ:
        raise CommandError(
            "no identity to attest with: this is not a job of a workflow with `id-token: write`",
            hint=HINT,
        )
    predicates = {PUBLISH: None, SLSA: _build_provenance()}
    paths = [_beside(file, ending) for file in files for ending in ATTESTATIONS]
    for path in paths:
        path.unlink(missing_ok=True)
    with signing() as sign:
        for file in files:
            for ending, predicate in predicates.items():
                attestation = sign(file, ending, predicate)
                _beside(file, ending).write_text(attestation, "utf-8")
    return paths


def _build_provenance() -> dict[str, Any]:
    """Return the predicate of SLSA provenance that GitHub's own action writes of a workflow's run."""
    values = {name: os.environ.get(f"GITHUB_{name}", "") for name in WORKFLOW_VARIABLES}
    missing = [f"`GITHUB_{name}`" for name, value in values.items() if not value]
    if missing:
        raise CommandError(
            f"the workflow's run is not described: these variables are not set: {', '.join(missing)}",
            hint=HINT,
        )
    server = values["SERVER_URL"]
    repository = f"{server}/{values['REPOSITORY']}"
    place, _, ref = values["WORKFLOW_REF"].partition("@")
    path = place.removeprefix(f"{values['REPOSITORY']}/")
    github = {
        "event_name": values["EVENT_NAME"],
        "repository_id": values["REPOSITORY_ID"],
        "repository_owner_id": values["REPOSITORY_OWNER_ID"],
        "runner_environment": os.environ.get("RUNNER_ENVIRONMENT", ""),
    }
    source = {
        "uri": f"git+{repository}@{values['REF']}",
        "digest": {"gitCommit": values["SHA"]},
    }
    run = f"{repository}/actions/runs/{values['RUN_ID']}/attempts/{values['RUN_ATTEMPT']}"
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "workflow": {"ref": ref, "repository": repository, "path": path}
            },
            "internalParameters": {"github": github},
            "resolvedDependencies": [source],
        },
        "runDetails": {
            "builder": {"id": f"{server}/{values['WORKFLOW_REF']}"},
            "metadata": {"invocationId": run},
        },
    }


Sign = Callable[[File, str, dict[str, Any] | None], str]


@contextlib.contextmanager
def signing() -> Iterator[Sign]:
    """Give a function that signs a statement on a file, by its ending, and returns the attestation."""
    # These imports take seconds, which no other command should wait for.
    from pypi_attestations import Attestation, AttestationType  # noqa: PLC0415
    from sigstore.dsse import Statement  # noqa: PLC0415
    from sigstore.errors import Error  # noqa: PLC0415
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415
    from sigstore.oidc import (  # noqa: PLC0415
        ExpiredIdentity,
        IdentityToken,
        detect_credential,
    )
    from sigstore.sign import SigningContext  # noqa: PLC0415

    types = {
        PUBLISH: AttestationType.PYPI_PUBLISH_V1.value,
        SLSA: AttestationType.SLSA_PROVENANCE_V1.value,
    }
    try:
        config = ClientTrustConfig.production()
        # Attestations hold an entry of this version of the transparency log (pypi-attestations).
        config.force_tlog_version = 1
        context = SigningContext.from_trust_config(config)
        identity = IdentityToken(detect_credential() or "")
        with context.signer(identity) as signer:

            def sign(file: File, ending: str, predicate: dict[str, Any] | None) -> str:
                bundle = signer.sign_dsse(
                    Statement(statement(file, types[ending], predicate))
                )
                return Attestation.from_bundle(bundle).model_dump_json()

            yield sign
    except (Error, ExpiredIdentity, ValueError, requests.RequestException) as error:
        words = reason(error)[:LONGEST_REASON]
        raise CommandError(f"the files cannot be attested: {words}", hint=HINT) from None


def statement(file: File, predicate_type: str, predicate: dict[str, Any] | None) -> bytes:
    """Return what an attestation of a file says (PEP 740, Attestation statement)."""
    subject = {"name": file.path.name, "digest": {"sha256": file.sha256()}}
    content = {
        "_type": STATEMENT,
        "subject": [subject],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return json.dumps(content).encode()


def attestations_of(file: File) -> dict[str, Path]:
    """Return the paths of a file's attestations, by their ending."""
    paths = {ending: _beside(file, ending) for ending in ATTESTATIONS}
    return {ending: path for ending, path in paths.items() if path.is_file()}


def predicates_of(file: File) -> frozenset[str]:
    """Return the types of the statements in the attestations next to a file, which were verified."""
    paths = attestations_of(file).values()
    return predicate_types(json.loads(path.read_text("utf-8")) for path in paths)


def is_attested(plan: Plan, index: Index) -> bool:
    """Tell whether the plan requires attestations for an index, by name or by URL."""
    return any(read_index(name).upload == index.upload for name in plan.attestations)


def attested(files: list[File], *, required: bool) -> Iterator[Finding]:
    """Verify that each attestation is of its file, and signed with the key of its certificate.

    Whose key that is, and when it was signed, is for the index to verify: it knows the publisher.
    With `required`, every file must have one of each kind.
    """
    for file in files:
        subject = f"{file.path.name} {file.sha256()}"
        attestations = attestations_of(file)
        for ending in ATTESTATIONS:
            if ending in attestations:
                yield _attested(attestations[ending], ending, subject)
            elif required:
                yield problem(
                    GATE,
                    f"{file.path.name}{ending}",
                    "an attestation next to its file",
                    "none",
                    hint="`python3 -m scripts attest`, in the workflow: it states whose release this is",
                )


def _attested(path: Path, ending: str, subject: str) -> Finding:
    try:
        return compare(GATE, path.name, subject, _attested_subject(path, ending))
    except InvalidSignature:
        text = "its signature is not of the certificate in it"
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        text = f"its content is not that of an attestation: {reason(error)}"
    return problem(GATE, path.name, "an attestation", text)


def _attested_subject(path: Path, ending: str) -> str:
    """Return name and sha256 of the file that an attestation is of (PEP 740, Attestation objects).

    Raises ValueError, KeyError, IndexError, TypeError or InvalidSignature for anything else.
    """
    attestation = json.loads(path.read_text("utf-8"))
    envelope, material = attestation["envelope"], attestation["verification_material"]
    text = base64.b64decode(envelope["statement"], validate=True)
    signature = base64.b64decode(envelope["signature"], validate=True)
    certificate = base64.b64decode(material["certificate"], validate=True)
    key = load_der_x509_certificate(certificate).public_key()
    if attestation["version"] != 1 or not material["transparency_entries"]:
        raise ValueError("not of version 1 with its entry in the transparency log")
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("a certificate with another kind of key")  # noqa: TRY004 - it is data
    # The signature is of the statement with its type and length (DSSE, Protocol).
    kind = b"application/vnd.in-toto+json"
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(text), text)
    key.verify(signature, signed, ECDSA(SHA256()))
    content = json.loads(text)
    if not str(content["predicateType"]).endswith(PREDICATES[ending]):
        raise ValueError(f"of another kind: {content['predicateType']}")
    (subject,) = content["subject"]
    return f"{subject['name']} {subject['digest']['sha256']}"


def _beside(file: File, ending: str) -> Path:
    return file.path.with_name(file.path.name + ending)
