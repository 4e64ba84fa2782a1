"""Builders: whose attestations are believed, by a key of their own or by a Sigstore identity."""

import hashlib
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bundles.core.attestation import Attestation
from bundles.core.envelope import pre_authentication_encoding
from bundles.core.errors import Invalid
from bundles.core.provenance import parse_https_url, parse_repository

BuilderKey = Ed25519PublicKey | EllipticCurvePublicKey
"""Ed25519, or ECDSA on P-256 with SHA-256."""

_ISSUERS = {
    "https://github.com/": "https://token.actions.githubusercontent.com",
    "https://gitlab.com/": "https://gitlab.com",
}


class State(StrEnum):
    """What is known of an attestation's signature.

    `verified`: by a builder that is trusted. `unverified`: kept, but nobody who is trusted is known to have
    signed it. `bad`: it claims to be a trusted builder's, or holds a certificate, and its signature is wrong.
    """

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    BAD = "bad"


class Verdict(msgspec.Struct, frozen=True):
    """A state, and by whom or why: for a person."""

    state: State
    detail: str


class Identity(msgspec.Struct, frozen=True):
    """The workflows of one repository, as an OpenID Connect issuer vouches for them in a Sigstore certificate."""

    repository: str
    issuer: str

    def __post_init__(self) -> None:
        if parse_repository(self.repository) != self.repository:
            raise Invalid(f"{self.repository!r} is no repository's URL without '.git' at its end")
        parse_https_url(self.issuer)


def identity_of(repository: str, issuer: str | None) -> Identity:
    """The identity of a repository's workflows; the issuer is known for github.com and gitlab.com."""
    parsed = parse_repository(repository)
    known = next((issuer for host, issuer in _ISSUERS.items() if parsed.startswith(host)), None)
    if issuer is None and known is None:
        raise Invalid(
            f"name who vouches for the workflows of {parsed} with --issuer, as its CI's documentation has it"
        )
    return Identity(parsed, issuer or known or "")


def builder_key_id(key: BuilderKey) -> str:
    """Lower-case hex of the SHA-256 of the key's SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7)."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def checked_builder_key(key: object, name: str) -> BuilderKey:
    """The key, if it is of a kind that is taken. `name` is where it comes from."""
    if isinstance(key, Ed25519PublicKey) or (
        isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    ):
        return key
    raise Invalid(f"{name} is neither an Ed25519 nor an ECDSA P-256 key")


def verify_by_key(attestation: Attestation, trusted: Mapping[str, BuilderKey]) -> Verdict:
    """Whether one of the trusted keys signed. An envelope's key ids are hints: every key is tried."""
    message = pre_authentication_encoding(attestation.payload_type, attestation.payload)
    for key_id, key in trusted.items():
        if any(_holds(key, signature.value, message) for signature in attestation.signatures):
            return Verdict(State.VERIFIED, f"by the key {key_id}")
    named = {signature.key_hint for signature in attestation.signatures} & trusted.keys()
    if named:
        return Verdict(State.BAD, f"it names the trusted key {min(named)}, whose signature this is not")
    return Verdict(State.UNVERIFIED, "no trusted builder's key signed it: see `headrace builders trust`")


def _holds(key: BuilderKey, signature: bytes, message: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            key.verify(signature, message, ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True
