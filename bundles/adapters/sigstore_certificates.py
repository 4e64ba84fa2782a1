"""Sigstore bundles with a certificate, as npm's provenance is, verified by the `sigstore` library, offline.

The root of trust is the one that comes with the library, or the `trusted_root.json` that is put in its place.
"""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from cryptography.x509 import Certificate, SubjectAlternativeName, UniformResourceIdentifier

from bundles.core.attestation import Attestation
from bundles.core.builders import Identity, State, Verdict
from bundles.core.errors import Failed

if TYPE_CHECKING:
    from sigstore.verify import Verifier

_EXTRA = "headrace[sigstore]"


class SigstoreCertificates:
    """Verifies certified attestations. The library, an extra, is loaded when the first one comes."""

    def __init__(self, trusted_root: Path) -> None:
        self._trusted_root = trusted_root

    def verify(self, attestation: Attestation, trusted: Collection[Identity]) -> Verdict:
        """Whether one of the identities signed it, by the certificate, the log's entry and the times in them."""
        try:
            from sigstore.errors import CertValidationError, VerificationError
            from sigstore.models import Bundle
        except ModuleNotFoundError:
            return _unverified(f"a Sigstore certificate vouches for it: install {_EXTRA} to verify it")
        verifier = self._verifier()
        policy = _AnyRepository(trusted)
        try:
            if (kind := _entry_kind(attestation.document)) == "intoto":
                return _unverified(
                    "its log entry is of the old kind intoto (npm before 11), which can't be verified"
                )
            signed = verifier.verify_dsse(Bundle.from_json(attestation.document), policy)
        except CertValidationError as error:
            return _unverified(f"its certificate is not of the trusted root: {error}")
        except VerificationError as error:
            return Verdict(State.BAD, f"{error} (log entry of kind {kind!r})")
        except Exception as error:  # noqa: BLE001 - what the library makes of any document is not known
            return _unverified(f"the sigstore library can't read it: {_first_line(error)}")
        if signed != (attestation.payload_type, attestation.payload):
            return Verdict(State.BAD, "what is signed is not what it states")
        if policy.signer is None:
            return _unverified(
                f"no trusted repository signed it, but {policy.subject}: see `headrace builders trust`"
            )
        return Verdict(State.VERIFIED, f"by {policy.subject}, for {policy.signer.issuer}")

    def _verifier(self) -> "Verifier":
        from sigstore.errors import Error
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier

        logging.getLogger("sigstore").setLevel(logging.ERROR)  # it warns that offline is offline
        try:
            if self._trusted_root.exists():
                return Verifier(trusted_root=TrustedRoot.from_file(str(self._trusted_root)))
            return Verifier.production(offline=True)
        except (Error, OSError, ValueError) as error:
            raise Failed(f"can't read Sigstore's root of trust: {error}") from None


class _AnyRepository:
    """A policy that remembers who signed, so that an unknown signer is told from a wrong signature."""

    def __init__(self, trusted: Collection[Identity]) -> None:
        self._trusted = trusted
        self.signer: Identity | None = None
        self.subject = "nobody that it names"

    def verify(self, cert: Certificate) -> None:
        """Called by the library with the certificate, once that is known to be of the root."""
        from sigstore.errors import VerificationError
        from sigstore.verify.policy import AllOf, OIDCIssuerV2, OIDCSourceRepositoryURI

        names = cert.extensions.get_extension_for_class(SubjectAlternativeName).value
        self.subject = ", ".join(names.get_values_for_type(UniformResourceIdentifier)) or self.subject
        for identity in self._trusted:
            try:
                AllOf([OIDCIssuerV2(identity.issuer), OIDCSourceRepositoryURI(identity.repository)]).verify(cert)
            except VerificationError:
                continue
            self.signer = identity
            return


class _KindVersion(msgspec.Struct):
    kind: str


class _Entry(msgspec.Struct, rename="camel"):
    kind_version: _KindVersion


class _Material(msgspec.Struct, rename="camel"):
    tlog_entries: list[_Entry]


class _Bundle(msgspec.Struct, rename="camel"):
    verification_material: _Material


def _entry_kind(document: bytes) -> str:
    """The kind of the transparency log's entry, as Rekor names it."""
    entries = msgspec.json.decode(document, type=_Bundle).verification_material.tlog_entries
    return entries[0].kind_version.kind if entries else ""


def _unverified(why: str) -> Verdict:
    return Verdict(State.UNVERIFIED, why)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
