"""Signed documents: DSSE envelopes (secure-systems-lab/dsse, protocol 1.0.2) with Ed25519 (RFC 8032).

The bytes that are signed are the bytes that are parsed, so no step between can be made to disagree. The
payload's type is signed with it: a manifest can't pass for a routing table.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bundles.core.errors import Failed


class _Signature(msgspec.Struct, frozen=True):
    keyid: str
    sig: str


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    payload_type: str
    payload: str
    signatures: tuple[_Signature, ...]


TrustedKeys = Mapping[str, Ed25519PublicKey]
"""The public keys that documents are accepted from, by key id."""


def key_id_of(key: Ed25519PublicKey) -> str:
    """Lower-case hex of the SHA-256 of the raw 32-byte public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def seal(payload_type: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The envelope of a payload, signed by one key."""
    signature = key.sign(_pre_authentication_encoding(payload_type, payload))
    envelope = _Envelope(
        payload_type=payload_type,
        payload=base64.b64encode(payload).decode(),
        signatures=(_Signature(keyid=key_id_of(key.public_key()), sig=base64.b64encode(signature).decode()),),
    )
    return msgspec.json.encode(envelope)


def unseal(payload_type: str, sealed: bytes, trusted: TrustedKeys, name: str) -> bytes:
    """The payload, once a trusted key's signature over it holds.

    `name` says which document it is, for the message of the `Failed` that every other case raises.
    """
    try:
        envelope = msgspec.json.decode(sealed, type=_Envelope)
        payload = base64.b64decode(envelope.payload, validate=True)
        signatures = [(item.keyid, base64.b64decode(item.sig, validate=True)) for item in envelope.signatures]
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise Failed(f"{name} is damaged: it is no signed document ({error})") from None
    if envelope.payload_type != payload_type:
        raise Failed(f"{name} holds a {envelope.payload_type!r} where a {payload_type!r} was expected")
    message = _pre_authentication_encoding(payload_type, payload)
    if not any(_holds(trusted.get(keyid), signature, message) for keyid, signature in signatures):
        raise Failed(f"{name} is not signed by a trusted key: it was altered, or its public key is missing")
    return payload


def signed_by(sealed: bytes) -> set[str]:
    """The ids of the keys that an envelope names as its signers; empty for what is no envelope."""
    try:
        envelope = msgspec.json.decode(sealed, type=_Envelope)
    except msgspec.MsgspecError:
        return set()
    return {signature.keyid for signature in envelope.signatures}


def _holds(key: Ed25519PublicKey | None, signature: bytes, message: bytes) -> bool:
    if key is None:
        return False
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE's PAE: lengths before contents, so that no two (type, payload) pairs give the same bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
