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

from scripts.index.attestations import PUBLISH_PREDICATE
from scripts.model.files import ATTESTATION, File

PREDICATE = f"https://example.org{PUBLISH_PREDICATE}"
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


def write_attestation(
    file: File,
    name: str = "",
    sha256: str = "",
    predicate: str = f"https://example.org{PUBLISH_PREDICATE}",
) -> Path:
    """Write the attestation of a file next to it; with another name or digest, it is of another file."""
    key = generate_private_key(SECP256R1())
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
    signed = b"DSSEv1 " + b" ".join(
        [str(len(KIND)).encode(), KIND, str(len(statement)).encode(), statement]
    )
    said = {
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
    path = file.path.with_name(file.path.name + ATTESTATION)
    path.write_text(json.dumps(said))
    return path
