"""Attestations: in-toto statements in DSSE envelopes, alone or in a Sigstore bundle, as builders hand them out.

in-toto Attestation Framework v0.1 and v1; SLSA provenance v0.2 and v1; Sigstore bundle v0.1 to v0.3; the
document of npm's attestations endpoint. Everything here is a claim until its signature has been verified.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from bundles.core.digest import digest_of
from bundles.core.errors import Invalid
from bundles.core.provenance import (
    MAX_ATTESTATION_BYTES,
    MAX_ATTESTATIONS,
    AttestationRef,
    Source,
    parse_builder,
    parse_repository,
)

IN_TOTO = "application/vnd.in-toto+json"
_STATEMENTS = ("https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1")
_GIT_URI = re.compile(r"(?:git\+)?(https://[^@\s]+)(?:@\S*)?")
_URL_SAFE = str.maketrans("-_", "+/")
_MAX_SUBJECTS = 4096
_MAX_SIGNATURES = 16
_MAX_PREDICATE_TYPE = 500
T = TypeVar("T")


class Predicate(StrEnum):
    """The types of what is stated that a source and a builder are read from."""

    SLSA_02 = "https://slsa.dev/provenance/v0.2"
    SLSA_1 = "https://slsa.dev/provenance/v1"


class Subject(msgspec.Struct, frozen=True):
    """What a statement is about: digests in lower-case hex, by algorithm."""

    digest: Mapping[str, str]
    name: str = ""


class Statement(msgspec.Struct, frozen=True):
    """What an attestation states: of which subjects, and what of it names a source and a builder."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    source: Source
    builder: str | None


class Signature(msgspec.Struct, frozen=True):
    """A signature over an envelope. `key_hint` may say by which key; it is not itself signed."""

    value: bytes
    key_hint: str


class Attestation(msgspec.Struct, frozen=True):
    """One signed statement. `document` is the envelope or Sigstore bundle, byte for byte as it came."""

    document: bytes
    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]
    statement: Statement
    is_certified: bool
    """True where a Sigstore certificate, not a key, says who signed."""

    @property
    def ref(self) -> AttestationRef:
        """How a manifest names it."""
        return AttestationRef(self.statement.predicate_type, digest_of(self.document), len(self.document))


class _Signature(msgspec.Struct):
    sig: str
    keyid: str | None = None


class _Envelope(msgspec.Struct, rename="camel"):
    payload: str
    payload_type: str
    signatures: list[_Signature]


class _Material(msgspec.Struct, rename="camel"):
    certificate: Any = None
    x509_certificate_chain: Any = msgspec.field(default=None, name="x509CertificateChain")


class _Bundle(msgspec.Struct, rename="camel"):
    dsse_envelope: _Envelope
    verification_material: _Material


class _Listed(msgspec.Struct):
    bundle: msgspec.Raw


class _Listing(msgspec.Struct):
    attestations: list[_Listed]


class _Statement(msgspec.Struct, rename="camel"):
    type_: str = msgspec.field(name="_type")
    subject: list[Subject]
    predicate_type: str
    predicate: Any = None


def parse_attestations(data: bytes, name: str) -> tuple[Attestation, ...]:
    """The attestations in a DSSE envelope, a Sigstore bundle or npm's document of several. Raises `Invalid`.

    `name` is what the user calls the document.
    """
    if len(data) > MAX_ATTESTATION_BYTES:
        raise Invalid(f"{name} is larger than {MAX_ATTESTATION_BYTES} bytes, the most an attestation may have")
    if "attestations" not in _fields(data, name):
        return (_parse(data, name),)
    listed = _decode(data, _Listing, name).attestations
    if not 0 < len(listed) <= MAX_ATTESTATIONS:
        raise Invalid(f"{name} has {len(listed)} attestations; a build may have 1 to {MAX_ATTESTATIONS}")
    return tuple(_parse(bytes(each.bundle), name) for each in listed)


def is_about(statement: Statement, things: Iterable[Mapping[str, str]]) -> bool:
    """True where one of the subjects is one of these things, each given by its digests in hex by algorithm.

    A subject with several digests is that thing only if none of them says otherwise.
    """
    known = {(algorithm, value): thing for thing in things for algorithm, value in thing.items()}
    for subject in statement.subjects:
        for digest in subject.digest.items():
            thing = known.get(digest, {})
            if thing and all(subject.digest.get(algorithm, value) == value for algorithm, value in thing.items()):
                return True
    return False


def _parse(document: bytes, name: str) -> Attestation:
    if "dsseEnvelope" in _fields(document, name):
        bundle = _decode(document, _Bundle, name)
        envelope, material = bundle.dsse_envelope, bundle.verification_material
        is_certified = material.certificate is not None or material.x509_certificate_chain is not None
    else:
        envelope, is_certified = _decode(document, _Envelope, name), False
    if envelope.payload_type != IN_TOTO:
        raise Invalid(f"{name} holds a {envelope.payload_type[:100]!r}, not an in-toto statement ({IN_TOTO})")
    if not 0 < len(envelope.signatures) <= _MAX_SIGNATURES:
        raise Invalid(f"{name} has {len(envelope.signatures)} signatures; 1 to {_MAX_SIGNATURES} are taken")
    payload = _base64(envelope.payload, name)
    return Attestation(
        document=document,
        payload_type=envelope.payload_type,
        payload=payload,
        signatures=tuple(Signature(_base64(each.sig, name), each.keyid or "") for each in envelope.signatures),
        statement=_parse_statement(payload, name),
        is_certified=is_certified,
    )


def _parse_statement(payload: bytes, name: str) -> Statement:
    statement = _decode(payload, _Statement, name)
    if statement.type_ not in _STATEMENTS:
        raise Invalid(f"{name} states a {statement.type_[:100]!r}; known are {' and '.join(_STATEMENTS)}")
    if not 0 < len(statement.subject) <= _MAX_SUBJECTS:
        raise Invalid(f"{name} is about {len(statement.subject)} subjects; 1 to {_MAX_SUBJECTS} are taken")
    kind = statement.predicate_type
    if not 0 < len(kind) <= _MAX_PREDICATE_TYPE or not kind.isprintable():
        raise Invalid(f"{name} has no predicate type that can be shown")
    try:
        source, builder = _made_from(kind, statement.predicate)
    except Invalid as error:
        raise Invalid(f"{name}: {error}") from None
    return Statement(tuple(statement.subject), kind, source, builder)


def _made_from(predicate_type: str, predicate: object) -> tuple[Source, str | None]:
    """Source and builder of a SLSA provenance, as far as it names them; nothing of any other predicate."""
    match predicate_type:
        case Predicate.SLSA_1:
            configured = _at(predicate, "buildDefinition", "externalParameters", "workflow", "repository")
            materials = _at(predicate, "buildDefinition", "resolvedDependencies")
            builder = _at(predicate, "runDetails", "builder", "id")
        case Predicate.SLSA_02:
            configured = _at(predicate, "invocation", "configSource", "uri")
            materials = [_at(predicate, "invocation", "configSource")]
            builder = _at(predicate, "builder", "id")
        case _:
            return Source(), None
    return _source(configured, materials), parse_builder(builder) if isinstance(builder, str) else None


def _source(configured: object, materials: object) -> Source:
    """The repository that the build was configured from, else the first, and that material's commit."""
    repository = _repository(configured)
    for material in materials if isinstance(materials, list) else []:
        found = _repository(_at(material, "uri"))
        if found is not None and repository in (None, found):
            commit = _at(material, "digest", "gitCommit") or _at(material, "digest", "sha1")
            return Source(found, commit if isinstance(commit, str) else None)
    return Source(repository)


def _repository(uri: object) -> str | None:
    """The repository of a package URL for git, as in `git+https://github.com/acme/sdk@refs/heads/main`."""
    match = _GIT_URI.fullmatch(uri) if isinstance(uri, str) else None
    return None if match is None else parse_repository(match[1])


def _at(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _fields(data: bytes, name: str) -> dict[str, msgspec.Raw]:
    return _decode(data, dict[str, msgspec.Raw], name)


def _decode(data: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise Invalid(f"{name} is nested too deeply to be an attestation") from None
    except ValueError as error:
        raise Invalid(
            f"{name} is neither a DSSE envelope, a Sigstore bundle nor npm's document of attestations: {error}"
        ) from None


def _base64(text: str, name: str) -> bytes:
    """DSSE takes both alphabets (protocol 1.0.2)."""
    try:
        return base64.b64decode(text.translate(_URL_SAFE), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{name} holds base64 that can't be decoded") from None
