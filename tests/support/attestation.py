"""Attestations as a workflow's identity makes them, signed by a key of our own: nobody vouches for it."""

from __future__ import annotations

import base64
import datetime as dt
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from scripts.index.attestations import PREDICATES as ENDS
from scripts.model.files import PUBLISH, SLSA, File

PREDICATES = {
    PUBLISH: f"https://example.org{ENDS[PUBLISH]}",
    SLSA: f"https://{ENDS[SLSA]}",
}
KIND = b"application/vnd.in-toto+json"


def certificate(key: EllipticCurvePrivateKey) -> bytes:
    """Return a certificate of a key, by the key itself."""
    name = x509.Name([])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
    )
    builder = (
        builder.serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(minutes=10))
    )
    names = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier("https://example.org/publish.yml")]
    )
    return (
        builder.add_extension(names, critical=True)
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )


def write_attestation(file: File, name: str = "", sha256: str = "") -> Path:
    """Write the attestations of a file next to it; with another name or digest, of another file.

    Return the path of the one that is made at publishing.
    """
    for ending, predicate in PREDICATES.items():
        write_statement(file, ending, predicate, name, sha256)
    return file.path.with_name(file.path.name + PUBLISH)


def write_statement(
    file: File, ending: str, predicate: str, name: str = "", sha256: str = ""
) -> None:
    """Write one attestation of a file next to it."""
    subject = {
        "name": name or file.path.name,
        "digest": {"sha256": sha256 or file.sha256()},
    }
    statement = json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [subject],
            "predicateType": predicate,
            "predicate": None,
        }
    ).encode()
    path = file.path.with_name(file.path.name + ending)
    path.write_text(attestation(statement))


def attestation(statement: bytes) -> str:
    """Return the attestation of a statement, signed by a new key."""
    key = generate_private_key(SECP256R1())
    signed = b"DSSEv1 " + b" ".join(
        [str(len(KIND)).encode(), KIND, str(len(statement)).encode(), statement]
    )
    content = {
        "version": 1,
        "verification_material": {
            "certificate": base64.b64encode(certificate(key)).decode(),
            "transparency_entries": [{"logIndex": "0"}],
        },
        "envelope": {
            "statement": base64.b64encode(statement).decode(),
            "signature": base64.b64encode(key.sign(signed, ECDSA(SHA256()))).decode(),
        },
    }
    return json.dumps(content)
