"""Signed documents: whatever is changed is noticed."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.envelope import seal, unseal
from bundles.core.errors import Failed
from bundles.core.trust import KeyRing, TrustedKey, key_id_of

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
TRUSTED = KeyRing(TrustedKey(KEY.public_key()))
KIND = "application/vnd.test+json"
SEALED = seal(KIND, b'{"revision":7}', KEY)


@given(st.binary(max_size=200))
def test_a_sealed_payload_comes_back(payload: bytes) -> None:
    assert unseal(KIND, seal(KIND, payload, KEY), TRUSTED, "it") == payload


@given(st.integers(0, len(SEALED) - 1), st.integers(0, 255))
def test_no_changed_byte_changes_what_is_read(place: int, value: int) -> None:
    changed = bytearray(SEALED)
    changed[place] = value
    try:
        payload = unseal(KIND, bytes(changed), TRUSTED, "the manifest")
    except Failed as refusal:
        assert str(refusal).startswith("the manifest")  # noqa: PT017 - both outcomes are fine, if they are right
    else:
        assert payload == b'{"revision":7}'


def test_another_payload_under_the_same_signature_is_refused() -> None:
    envelope = json.loads(SEALED)
    envelope["payload"] = base64.b64encode(b'{"revision":8}').decode()
    with pytest.raises(Failed, match="not signed by a trusted key"):
        unseal(KIND, json.dumps(envelope).encode(), TRUSTED, "it")


def test_a_key_that_is_not_trusted_signs_nothing() -> None:
    with pytest.raises(Failed, match="not signed by a trusted key"):
        unseal(KIND, seal(KIND, b"{}", Ed25519PrivateKey.generate()), TRUSTED, "it")
    with pytest.raises(Failed, match="not signed by a trusted key"):
        unseal(KIND, SEALED, KeyRing(), "it")


def test_a_stranger_under_a_trusted_key_id_is_refused() -> None:
    envelope = json.loads(seal(KIND, b"{}", Ed25519PrivateKey.generate()))
    envelope["signatures"][0]["keyid"] = key_id_of(KEY.public_key())
    with pytest.raises(Failed, match="not signed by a trusted key"):
        unseal(KIND, json.dumps(envelope).encode(), TRUSTED, "it")


def test_a_document_of_another_type_is_refused() -> None:
    with pytest.raises(Failed, match="where a 'application/other' was expected"):
        unseal("application/other", SEALED, TRUSTED, "it")
    envelope = json.loads(SEALED)
    envelope["payloadType"] = "application/other"
    with pytest.raises(Failed, match="not signed by a trusted key"):
        unseal("application/other", json.dumps(envelope).encode(), TRUSTED, "it")


@pytest.mark.parametrize(
    "document", [b"", b"{}", b"[]", b"\xff\xfe", SEALED[:-1], SEALED[1:], b"null", b"{" * 5_000]
)
def test_what_is_no_signed_document_is_refused(document: bytes) -> None:
    with pytest.raises(Failed, match="it is damaged"):
        unseal(KIND, document, TRUSTED, "it")


def test_the_signature_is_over_dsses_encoding() -> None:
    envelope = json.loads(SEALED)
    message = b"DSSEv1 25 application/vnd.test+json 14 " + b'{"revision":7}'
    KEY.public_key().verify(base64.b64decode(envelope["signatures"][0]["sig"]), message)
