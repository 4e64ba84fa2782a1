"""Attestations as a builder makes them, with keys of the test's own."""

import base64
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bundles.core.attestation import IN_TOTO

SLSA_1 = "https://slsa.dev/provenance/v1"
REPOSITORY = "https://github.com/acme/sdk"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
BUILDER = "https://ci.acme.example/builders/1"

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


def statement(digest: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A SLSA provenance v1 of one subject."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "sdk.tgz", "digest": digest}],
        "predicateType": SLSA_1,
        "predicate": {
            "buildDefinition": {
                "externalParameters": {"workflow": {"repository": REPOSITORY}},
                "resolvedDependencies": [
                    {"uri": "git+https://github.com/acme/tools", "digest": {"gitCommit": "f" * 40}},
                    {"uri": f"git+{REPOSITORY}.git@refs/heads/main", "digest": {"gitCommit": COMMIT}},
                ],
            },
            "runDetails": {"builder": {"id": BUILDER}},
        },
        **changes,
    }


def envelope(payload: bytes | dict[str, Any], key: PrivateKey, key_id: str = "") -> dict[str, Any]:
    """The payload in a DSSE envelope, signed as secure-systems-lab/dsse has it."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    message = b"DSSEv1 %d %b %d %b" % (len(IN_TOTO), IN_TOTO.encode(), len(body), body)
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(message)
    else:
        signature = key.sign(message, ECDSA(hashes.SHA256()))
    return {
        "payloadType": IN_TOTO,
        "payload": base64.b64encode(body).decode(),
        "signatures": [{"keyid": key_id, "sig": base64.b64encode(signature).decode()}],
    }


def write_public_key(path: Path, key: PrivateKey) -> Path:
    """The public half, in PEM."""
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path
