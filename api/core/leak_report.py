"""Reports of secrets that were found where others can read them: who sent one, and what is in it.

They have the form of GitHub's secret scanning, which its partners' program describes. GitHub signs them by ECDSA
with a key of those that it publishes; others by HMAC with a secret that both know (`release.core.signature`).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bundles.core.errors import Invalid, NotAuthenticated
from release.core.codec import UNREADABLE
from release.core.signature import MIN_SECRET_BYTES, sign

MAX_LEAKS = 10_000
_FRESH_SECONDS = 300


class Leak(msgspec.Struct, frozen=True):
    """One secret that was found, and where."""

    token: str
    url: str = ""


class Reporters(msgspec.Struct, frozen=True):
    """Whose reports are believed: who knows the secret, and who has one of the keys, by their identifiers."""

    secret: bytes | None = None
    keys: Mapping[str, EllipticCurvePublicKey] = {}

    def __post_init__(self) -> None:
        if self.secret is not None and len(self.secret) < MIN_SECRET_BYTES:
            raise Invalid(f"the secret of leak reports has at least {MIN_SECRET_BYTES} bytes")


def check_reporter(reporters: Reporters, headers: Mapping[str, str], body: bytes, now: int) -> None:
    """Raise `NotAuthenticated` where none of them has sent this body. Headers are by their names in lower case."""
    if not (_knows_secret(reporters.secret, headers, body, now) or _has_key(reporters.keys, headers, body)):
        raise NotAuthenticated("no reporter of leaks that is known has signed this")


def parse_report(body: bytes) -> tuple[Leak, ...]:
    """What was found. Raises `Invalid` for what is no report."""
    try:
        leaks = msgspec.json.decode(body, type=tuple[Leak, ...])
    except UNREADABLE as error:
        raise Invalid(f"that is no list of leaked tokens: {error}") from None
    if len(leaks) > MAX_LEAKS:
        raise Invalid(f"a report has at most {MAX_LEAKS} tokens: send several")
    return leaks


class _Key(msgspec.Struct, frozen=True):
    key_identifier: str
    key: str


class _Keys(msgspec.Struct, frozen=True):
    public_keys: tuple[_Key, ...]


def parse_reporters_keys(document: bytes) -> Mapping[str, EllipticCurvePublicKey]:
    """The keys by their identifiers, in the form of https://api.github.com/meta/public_keys/secret_scanning."""
    try:
        listed = msgspec.json.decode(document, type=_Keys).public_keys
        keys = {each.key_identifier: load_pem_public_key(each.key.encode()) for each in listed}
    except (msgspec.MsgspecError, ValueError, UnsupportedAlgorithm) as error:
        raise Invalid(f"that is no list of keys as GitHub publishes them: {error}") from None
    return {name: _on_p256(name, key) for name, key in keys.items()}


def _on_p256(name: str, key: object) -> EllipticCurvePublicKey:
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise Invalid(f"the key {name} is none of ECDSA on P-256")
    return key


def _knows_secret(secret: bytes | None, headers: Mapping[str, str], body: bytes, now: int) -> bool:
    """By the header fields that Headrace's own notifications have; the timestamp is of the last minutes."""
    timestamp, signature = headers.get("headrace-timestamp", ""), headers.get("headrace-signature", "")
    if secret is None or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        return False
    if abs(now - int(timestamp)) > _FRESH_SECONDS:
        return False
    expected = f"v1={sign(secret, int(timestamp), body)}"
    return hmac.compare_digest(expected.encode(), signature.encode())


def _has_key(keys: Mapping[str, EllipticCurvePublicKey], headers: Mapping[str, str], body: bytes) -> bool:
    key = keys.get(headers.get("github-public-key-identifier", ""))
    if key is None:
        return False
    try:
        signature = base64.b64decode(headers.get("github-public-key-signature", ""), validate=True)
        key.verify(signature, body, ECDSA(SHA256()))
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return True
