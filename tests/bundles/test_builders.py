"""Whose attestations are believed: by a key of the builder's own, and by a Sigstore certificate."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.adapters.builder_files import BuilderFiles
from bundles.adapters.sigstore_certificates import SigstoreCertificates
from bundles.core.attestation import Attestation, parse_attestations
from bundles.core.builders import Identity, State, builder_key_id, identity_of, verify_by_key
from bundles.core.errors import Failed, Invalid
from tests.support.attest import PrivateKey, envelope, statement, write_public_key
from tests.support.npm import ATTESTATIONS, NPM_KEY
from tests.support.npm import REPOSITORY as NPM_REPOSITORY

STATEMENT = statement({"sha256": "a" * 64})
NPM = identity_of(NPM_REPOSITORY, None)


def parse(document: Any) -> Attestation:
    (attestation,) = parse_attestations(json.dumps(document).encode(), "a.json")
    return attestation


def provenance_bundle() -> Any:
    """npm's real provenance, to be changed."""
    return json.loads(ATTESTATIONS.read_bytes())["attestations"][1]["bundle"]


@pytest.mark.parametrize("make", [Ed25519PrivateKey.generate, lambda: generate_private_key(SECP256R1())])
def test_a_builder_s_key_is_known_by_its_signature_whatever_the_envelope_calls_it(
    tmp_path: Path, make: Callable[[], PrivateKey]
) -> None:
    key, files = make(), BuilderFiles(tmp_path / "builders")
    files.trust_key(write_public_key(tmp_path / "other.pem", Ed25519PrivateKey.generate()))
    attestation = parse(envelope(STATEMENT, key, "any name"))
    assert verify_by_key(attestation, files.trusted_keys()).state is State.UNVERIFIED
    files.trust_key(write_public_key(tmp_path / "builder.pem", key))
    key_id = builder_key_id(key.public_key())
    verdict = verify_by_key(attestation, files.trusted_keys())
    assert (verdict.state, verdict.detail) == (State.VERIFIED, f"by the key {key_id}")
    files.distrust(key_id)
    assert verify_by_key(attestation, files.trusted_keys()).state is State.UNVERIFIED


def test_a_signature_that_names_a_trusted_key_and_is_not_its_own_is_bad() -> None:
    key = Ed25519PrivateKey.generate()
    key_id = builder_key_id(key.public_key())
    document = envelope(STATEMENT, key, key_id)
    trusted = {key_id: key.public_key()}
    assert verify_by_key(parse(document), trusted).state is State.VERIFIED
    document["payload"] = base64.b64encode(json.dumps(STATEMENT).replace("a" * 64, "b" * 64).encode()).decode()
    assert verify_by_key(parse(document), trusted).state is State.BAD


def test_npm_s_own_attestation_is_verified_by_npm_s_key(tmp_path: Path) -> None:
    published, _ = parse_attestations(ATTESTATIONS.read_bytes(), "npm.json")
    (tmp_path / "npm.pem").write_text(NPM_KEY)
    files = BuilderFiles(tmp_path / "builders")
    files.trust_key(tmp_path / "npm.pem")
    assert verify_by_key(published, files.trusted_keys()).state is State.VERIFIED


def test_npm_s_provenance_is_verified_for_the_repository_that_is_trusted_alone(tmp_path: Path) -> None:
    certificates = SigstoreCertificates(tmp_path / "no root of its own")
    attestation = parse(provenance_bundle())
    verdict = certificates.verify(attestation, [identity_of("https://github.com/acme/sdk", None), NPM])
    assert verdict.state is State.VERIFIED
    assert verdict.detail.startswith(f"by {NPM_REPOSITORY}/.github/workflows/publish.yml@")
    other = Identity(NPM_REPOSITORY, "https://gitlab.com")
    for trusted in ([], [other], [identity_of(f"{NPM_REPOSITORY}-fork", None)]):
        verdict = certificates.verify(attestation, trusted)
        assert verdict.state is State.UNVERIFIED
        assert "no trusted repository signed it" in verdict.detail


def tampered() -> list[Any]:
    """npm's real provenance, with one thing changed that a signature, a proof or a certificate vouches for."""
    changes = [
        "e['payload'] = altered(e['payload'], b'playwright-cli', b'playwright-cl1')",
        "e['signatures'][0]['sig'] = flipped(e['signatures'][0]['sig'])",
        "t['inclusionPromise']['signedEntryTimestamp'] = flipped(t['inclusionPromise']['signedEntryTimestamp'])",
        "t['canonicalizedBody'] = flipped(t['canonicalizedBody'])",
        "t['inclusionProof']['hashes'][0] = flipped(t['inclusionProof']['hashes'][0])",
        "t['inclusionProof']['rootHash'] = flipped(t['inclusionProof']['rootHash'])",
        "t['integratedTime'] = str(int(t['integratedTime']) + 1)",
        "t['integratedTime'] = '1'",
        "t['logIndex'] = '7'",
        "t['kindVersion'] = {'kind': 'intoto', 'version': '0.0.2'}",
        "m['tlogEntries'].clear()",
        "m['certificate']['rawBytes'] = flipped(m['certificate']['rawBytes'])",
        "m['certificate']['rawBytes'] = ''",
        "b['mediaType'] = 'application/json'",
    ]
    return [pytest.param(change, id=change) for change in changes]


@pytest.mark.parametrize("change", tampered())
def test_provenance_that_was_tampered_with_is_never_verified(change: str, tmp_path: Path) -> None:
    def flipped(text: str) -> str:
        data = bytearray(base64.b64decode(text))
        data[len(data) // 2] ^= 1
        return base64.b64encode(data).decode()

    def altered(text: str, old: bytes, new: bytes) -> str:
        return base64.b64encode(base64.b64decode(text).replace(old, new)).decode()

    bundle = provenance_bundle()
    material = bundle["verificationMaterial"]
    parts = {"b": bundle, "e": bundle["dsseEnvelope"], "m": material, "t": material["tlogEntries"][0]}
    exec(change, {**parts, "flipped": flipped, "altered": altered})
    assert bundle != provenance_bundle()
    verdict = SigstoreCertificates(tmp_path / "none").verify(parse(bundle), [NPM])
    assert verdict.state is not State.VERIFIED
    if change.startswith("e[") or "inclusion" in change:
        assert verdict.state is State.BAD


def test_what_one_reader_takes_for_the_statement_and_another_does_not_is_bad(tmp_path: Path) -> None:
    """JSON with a key twice: which of the two counts is the reader's own affair."""
    bundle = provenance_bundle()
    genuine = json.dumps(bundle["dsseEnvelope"])
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(STATEMENT).encode()).decode()
    forged = json.dumps(bundle.pop("dsseEnvelope"))
    for first, second in ((genuine, forged), (forged, genuine)):
        text = f'{json.dumps(bundle)[:-1]},"dsseEnvelope":{first},"dsseEnvelope":{second}}}'
        (attestation,) = parse_attestations(text.encode(), "twice.json")
        verdict = SigstoreCertificates(tmp_path / "none").verify(attestation, [NPM])
        assert (verdict.state is State.VERIFIED) is (b"playwright" in attestation.payload)
    claimed = msgspec.structs.replace(parse(provenance_bundle()), payload=json.dumps(STATEMENT).encode())
    verdict = SigstoreCertificates(tmp_path / "none").verify(claimed, [NPM])
    assert (verdict.state, verdict.detail) == (State.BAD, "what is signed is not what it states")


def test_another_root_of_trust_takes_the_place_of_sigstore_s_own(tmp_path: Path) -> None:
    root = tmp_path / "trusted_root.json"
    root.write_text("{}")
    with pytest.raises(Failed, match="can't read Sigstore's root of trust"):
        SigstoreCertificates(root).verify(parse(provenance_bundle()), [NPM])


def test_without_the_sigstore_extra_a_certificate_stays_unverified_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sigstore.errors", None)
    verdict = SigstoreCertificates(tmp_path / "none").verify(parse(provenance_bundle()), [NPM])
    assert verdict.state is State.UNVERIFIED
    assert "install headrace[sigstore]" in verdict.detail


def test_what_is_no_builder_is_refused(tmp_path: Path) -> None:
    files = BuilderFiles(tmp_path / "builders")
    with pytest.raises(Invalid, match="neither an Ed25519 nor an ECDSA P-256 key"):
        files.trust_key(write_public_key(tmp_path / "p384.pem", generate_private_key(SECP384R1())))
    (tmp_path / "text.pem").write_text("text")
    with pytest.raises(Invalid, match="no public key in PEM"):
        files.trust_key(tmp_path / "text.pem")
    with pytest.raises(Invalid, match="--issuer"):
        identity_of("https://git.acme.example/sdk", None)
    files.trust_identity(identity_of("https://git.acme.example/sdk.git", "https://id.acme.example"))
    assert files.identities() == (Identity("https://git.acme.example/sdk", "https://id.acme.example"),)
    with pytest.raises(Invalid, match="no trusted builder"):
        files.distrust("https://git.acme.example/other")
    files.distrust("https://git.acme.example/sdk")
    assert files.identities() == ()
    (tmp_path / "builders" / "identities.json").write_text("[{}]")
    with pytest.raises(Failed, match="is damaged"):
        files.identities()
