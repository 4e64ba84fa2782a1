"""Signed documents: DSSE envelopes (secure-systems-lab/dsse, protocol 1.0.2) with Ed25519 (RFC 8032).

The bytes that are signed are the bytes that are parsed, so no step between can be made to disagree. The
payload's type is signed with it: a manifest can't pass for a routing table.
"""

import base64
import binascii
from collections.abc import Collection, Iterator

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys, key_id_of

MAX_SIGNATURES = 16


class _Signature(msgspec.Struct, frozen=True):
    keyid: str
    sig: str


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    payload_type: str
    payload: str
    signatures: tuple[_Signature, ...]


def seal(payload_type: str, payload: bytes, key: Ed25519PrivateKey) -> bytes:
    """The envelope of a payload, signed by one key."""
    envelope = _Envelope(
        payload_type=payload_type,
        payload=base64.b64encode(payload).decode(),
        signatures=(_sign(payload_type, payload, key),),
    )
    return msgspec.json.encode(envelope)


def unseal(
    payload_type: str, sealed: bytes, trusted: TrustedKeys, name: str, product: Product | None = None
) -> bytes:
    """The payload, once a signature over it holds of a key that is trusted for it.

    `product` is the one that a build's document is of. Without it the document is the whole system's, and only
    the vendor's keys are believed. `name` says which document it is, for the message of the `Failed` that every
    other case raises.
    """
    envelope, payload = _parse(payload_type, sealed, name)
    if next(_holding(envelope, payload, trusted, product), None) is None:
        raise Failed(
            f"{name} is not signed by a trusted key: it was altered, or its public key is missing or not trusted"
            " for it"
        )
    return payload


def signers(
    payload_type: str, sealed: bytes, trusted: TrustedKeys, product: Product | None = None
) -> frozenset[str]:
    """The ids of all keys for whose signature `unseal` believes the document; empty where it would refuse it."""
    try:
        envelope, payload = _parse(payload_type, sealed, "it")
    except Failed:
        return frozenset()
    return frozenset(_holding(envelope, payload, trusted, product))


def claimed_signers(sealed: bytes) -> frozenset[str]:
    """The ids of the keys that an envelope says it is signed by, none of them verified; empty for no envelope."""
    try:
        return frozenset(item.keyid for item in msgspec.json.decode(sealed, type=_Envelope).signatures)
    except (msgspec.MsgspecError, ValueError):
        return frozenset()


def add_signature(payload_type: str, sealed: bytes, key: Ed25519PrivateKey, kept: Collection[str]) -> bytes:
    """The envelope of the very same payload, signed by this key too.

    Of the older signatures those of the `kept` keys stay, the newest where they are too many. Raises `Failed` for
    what is no such envelope.
    """
    envelope, payload = _parse(payload_type, sealed, "it")
    added = _sign(payload_type, payload, key)
    older = [item for item in envelope.signatures if item.keyid in kept and item.keyid != added.keyid]
    signatures = (*older[1 - MAX_SIGNATURES :], added)
    return msgspec.json.encode(msgspec.structs.replace(envelope, signatures=signatures))


def _sign(payload_type: str, payload: bytes, key: Ed25519PrivateKey) -> _Signature:
    signature = key.sign(pre_authentication_encoding(payload_type, payload))
    return _Signature(keyid=key_id_of(key.public_key()), sig=base64.b64encode(signature).decode())


def _parse(payload_type: str, sealed: bytes, name: str) -> tuple[_Envelope, bytes]:
    try:
        envelope = msgspec.json.decode(sealed, type=_Envelope)
        payload = base64.b64decode(envelope.payload, validate=True)
    except (msgspec.MsgspecError, binascii.Error, ValueError) as error:
        raise Failed(f"{name} is damaged: it is no signed document ({error})") from None
    if len(envelope.signatures) > MAX_SIGNATURES:
        raise Failed(f"{name} is damaged: it has more than {MAX_SIGNATURES} signatures")
    if envelope.payload_type != payload_type:
        raise Failed(f"{name} holds a {envelope.payload_type!r} where a {payload_type!r} was expected")
    return envelope, payload


def _holding(envelope: _Envelope, payload: bytes, trusted: TrustedKeys, product: Product | None) -> Iterator[str]:
    """The ids of the keys whose signatures hold and are believed."""
    message = pre_authentication_encoding(envelope.payload_type, payload)
    for signature in envelope.signatures:
        key = trusted.find(signature.keyid, product)
        if key is not None and _holds(key, signature.sig, message):
            yield signature.keyid


def _holds(key: Ed25519PublicKey, signature: str, message: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE's PAE: lengths before contents, so that no two (type, payload) pairs give the same bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
