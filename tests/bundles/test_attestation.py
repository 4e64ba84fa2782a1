"""Attestation documents, whoever wrote them: parsed into bounded values, or refused in one line."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.attestation import IN_TOTO, Attestation, is_about, parse_attestations
from bundles.core.errors import Invalid
from bundles.core.provenance import MAX_ATTESTATION_BYTES, Source
from tests.support.attest import BUILDER, COMMIT, REPOSITORY, envelope, statement
from tests.support.npm import ATTESTATIONS
from tests.support.npm import COMMIT as NPM_COMMIT
from tests.support.npm import REPOSITORY as NPM_REPOSITORY

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
STATEMENT = statement({"sha256": "a" * 64, "sha512": "b" * 128})
ENVELOPE = envelope(STATEMENT, KEY)


def parse(document: Any) -> tuple[Attestation, ...]:
    return parse_attestations(json.dumps(document).encode(), "a.json")


def test_npm_s_document_holds_its_bundles_byte_for_byte() -> None:
    document = ATTESTATIONS.read_bytes()
    published, provenance = parse_attestations(document, "npm.json")
    assert not published.is_certified
    assert published.statement.source == Source()
    assert provenance.is_certified
    assert provenance.statement.predicate_type == "https://slsa.dev/provenance/v1"
    assert provenance.statement.source == Source(NPM_REPOSITORY, NPM_COMMIT)
    assert provenance.statement.builder == "https://github.com/actions/runner/github-hosted"
    for attestation in (published, provenance):
        assert attestation.document in document
        assert parse_attestations(attestation.document, "again") == (attestation,)


@pytest.mark.parametrize("bundled", [False, True])
def test_an_envelope_alone_or_in_a_bundle_says_what_was_built_of_what(bundled: bool) -> None:
    document = {"dsseEnvelope": ENVELOPE, "verificationMaterial": {"publicKey": {}}} if bundled else ENVELOPE
    (attestation,) = parse(document)
    assert not attestation.is_certified
    assert json.loads(attestation.payload) == STATEMENT
    found = attestation.statement
    assert (found.source, found.builder) == (Source(REPOSITORY, COMMIT), BUILDER)


def test_slsa_0_2_and_statement_0_1_are_read_too() -> None:
    git = f"git+{REPOSITORY}@refs/heads/main"
    old = {
        **STATEMENT,
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": "https://slsa.dev/provenance/v0.2",
        "predicate": {
            "builder": {"id": BUILDER},
            "invocation": {"configSource": {"uri": git, "digest": {"sha1": COMMIT}}},
        },
    }
    (attestation,) = parse(envelope(old, KEY))
    assert attestation.statement.source == Source(REPOSITORY, COMMIT)
    assert attestation.statement.builder == BUILDER


def test_base64_is_taken_in_both_alphabets() -> None:
    body = json.dumps({**STATEMENT, "predicate": "\u00ff\u00fe??>>" * 20}).encode()
    plain = envelope(body, KEY)
    safe = base64.urlsafe_b64encode(body).decode()
    assert parse({**plain, "payload": safe})[0].payload == parse(plain)[0].payload == body


NESTED = 200_000


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "neither a DSSE envelope"),
        (b"[]", "neither a DSSE envelope"),
        (b"\xff", "neither a DSSE envelope"),
        (b"{" * NESTED, "neither a DSSE envelope"),
        (b'{"a":' * NESTED, "nested too deeply"),
        (b'{"dsseEnvelope":' + b"[" * NESTED, "nested too deeply"),
        (b'{"attestations":[{"bundle":' + b"[" * NESTED, "nested too deeply"),
        (b" " * (MAX_ATTESTATION_BYTES + 1), "is larger than 1048576 bytes"),
    ],
)
def test_what_is_no_document_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        parse_attestations(data, "a.json")


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ({"attestations": []}, "0 attestations"),
        ({"attestations": [{"bundle": ENVELOPE}] * 17}, "17 attestations"),
        ({"attestations": [{"bundle": 3}]}, "neither a DSSE envelope"),
        ({"attestations": {"bundle": ENVELOPE}}, "neither a DSSE envelope"),
        ({"dsseEnvelope": None}, "neither a DSSE envelope"),
        ({"dsseEnvelope": ENVELOPE}, "verificationMaterial"),
        ({**ENVELOPE, "payload": "%%%%"}, "base64"),
        ({**ENVELOPE, "payload": "é" * 4}, "base64"),
        ({**ENVELOPE, "payload": 3}, "neither a DSSE envelope"),
        ({**ENVELOPE, "payloadType": "text/plain"}, "not an in-toto statement"),
        ({**ENVELOPE, "signatures": []}, "0 signatures"),
        ({**ENVELOPE, "signatures": ENVELOPE["signatures"] * 17}, "17 signatures"),
        (envelope(b'{"predicate":' + b"[" * NESTED, KEY), "nested too deeply"),
        (envelope(b"no json", KEY), "neither a DSSE envelope"),
        (envelope({**STATEMENT, "_type": "Statement"}, KEY), "states a 'Statement'"),
        (envelope({**STATEMENT, "subject": []}, KEY), "0 subjects"),
        (envelope({**STATEMENT, "subject": [{"digest": {}}] * 4097}, KEY), "4097 subjects"),
        (envelope({**STATEMENT, "subject": [{"digest": {"sha256": 3}}]}, KEY), "neither a DSSE envelope"),
        (envelope({**STATEMENT, "predicateType": ""}, KEY), "predicate type"),
        (envelope({**STATEMENT, "predicateType": "\x1b[31m"}, KEY), "predicate type"),
        (envelope({**STATEMENT, "predicateType": "x" * 501}, KEY), "predicate type"),
        (
            envelope(
                {**STATEMENT, "predicate": {"runDetails": {"builder": {"id": "https://u:p@ci.example"}}}}, KEY
            ),
            "password",
        ),
    ],
)
def test_what_is_not_of_the_form_is_refused(document: Any, fault: str) -> None:
    with pytest.raises(Invalid, match=fault) as refused:
        parse(document)
    assert "a.json" in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.data())
def test_a_document_with_anything_anywhere_is_parsed_or_refused(data: st.DataObject) -> None:
    inner = json.loads(json.dumps(STATEMENT))
    document: Any = {"dsseEnvelope": None, "verificationMaterial": {"certificate": {"rawBytes": ""}}}
    _put_anything(data, inner)
    document["dsseEnvelope"] = envelope(inner, KEY)
    if data.draw(st.booleans()):
        _put_anything(data, document)
    try:
        (attestation,) = parse(document)
    except Invalid:
        return
    assert attestation.statement.subjects
    assert isinstance(attestation.statement.source, Source)


def _put_anything(data: st.DataObject, value: Any) -> None:
    """Put any JSON in the place of one part, at any depth."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(value[key], dict | list) and value[key] and data.draw(st.booleans()):
            value = value[key]
            continue
        value[key] = data.draw(JSON)
        return


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        parse_attestations(data, "a.json")


@pytest.mark.parametrize(
    ("subject", "about"),
    [
        ({"sha256": "a" * 64}, True),
        ({"sha512": "b" * 128}, True),
        ({"sha256": "a" * 64, "sha512": "b" * 128, "md5": "0"}, True),
        ({"sha256": "a" * 64, "sha512": "c" * 128}, False),
        ({"sha512": "c" * 128}, False),
        ({"sha1": "a" * 40}, False),
        ({}, False),
    ],
)
def test_an_attestation_is_about_what_all_its_digests_name(subject: dict[str, str], about: bool) -> None:
    (attestation,) = parse(envelope(statement(subject), KEY))
    thing = {"sha256": "a" * 64, "sha512": "b" * 128}
    assert is_about(attestation.statement, [{"sha256": "d" * 64}, thing]) is about
    assert not is_about(attestation.statement, [])


def test_the_payload_type_is_in_toto_s() -> None:
    assert parse(ENVELOPE)[0].payload_type == IN_TOTO
