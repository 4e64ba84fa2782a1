"""Provenance: which sources a build was made of, by whom, and what attests it. Part of the signed manifest."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from bundles.core.digest import Digest, parse_digest
from bundles.core.errors import Invalid

MAX_INPUTS = 64
MAX_ATTESTATIONS = 16
MAX_ATTESTATION_BYTES = 1024 * 1024

_MAX_TEXT = 2048
_MAX_NAME = 255
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA512 = re.compile(r"[0-9a-f]{128}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_USER_IN_URL = re.compile(r"://[^/?#]*@")


class Input(msgspec.Struct, frozen=True):
    """A file that the build was made of, as an archive or a lock file: its name and digests of its bytes.

    `sha512`, in lower-case hex, is what npm's provenance names a package by.
    """

    name: str
    digest: Digest
    sha512: str

    def __post_init__(self) -> None:
        parse_digest(self.digest)
        if not self.name.isprintable() or "/" in self.name or not 0 < len(self.name) <= _MAX_NAME:
            raise Invalid(f"{self.name!r} can't be an input's name")
        if not _SHA512.fullmatch(self.sha512):
            raise Invalid(f"{self.sha512!r} is not a SHA-512 digest in lower-case hex")


class AttestationRef(msgspec.Struct, frozen=True):
    """A stored attestation: the type of what it states, and the digest and size, in bytes, of its document."""

    predicate_type: str
    digest: Digest
    size: int

    def __post_init__(self) -> None:
        parse_digest(self.digest)
        if not 0 < self.size <= MAX_ATTESTATION_BYTES:
            raise Invalid(f"an attestation has 1 to {MAX_ATTESTATION_BYTES} bytes, not {self.size}")


class Sbom(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the software bill of materials is, and the digest of its bytes where that is known."""

    url: str
    digest: Digest | None = None

    def __post_init__(self) -> None:
        parse_https_url(self.url)
        if self.digest is not None:
            parse_digest(self.digest)


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a build was made of: the repository's URL and the commit (40 or 64 hex digits), as far as known."""

    repository: str | None = None
    commit: str | None = None

    def __post_init__(self) -> None:
        if self.repository is not None:
            parse_https_url(self.repository)
        if self.commit is not None and not _COMMIT.fullmatch(self.commit):
            raise Invalid(f"{self.commit[:100]!r} is no commit: write its 40 or 64 hex digits, in lower case")


class Provenance(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is recorded of how a build was made; each part may be missing. `builder` is a URI or another id."""

    source: Source = Source()
    builder: str | None = None
    inputs: tuple[Input, ...] = ()
    attestations: tuple[AttestationRef, ...] = ()
    sbom: Sbom | None = None

    def __post_init__(self) -> None:
        if self.builder is not None:
            parse_builder(self.builder)
        if len(self.inputs) > MAX_INPUTS:
            raise Invalid(f"{len(self.inputs)} inputs are more than the {MAX_INPUTS} that a build may name")
        names = [given.name for given in self.inputs]
        if twice := {name for name in names if names.count(name) > 1}:
            raise Invalid(f"two inputs have the name {min(twice)!r}: rename one")
        if len(self.attestations) > MAX_ATTESTATIONS:
            raise Invalid(
                f"{len(self.attestations)} attestations are more than the {MAX_ATTESTATIONS} a build may have"
            )
        if len({attestation.digest for attestation in self.attestations}) != len(self.attestations):
            raise Invalid("the same attestation is given twice")


def parse_https_url(text: str) -> str:
    """An absolute https URL that holds no user name or password: it becomes public with the manifest."""
    fault = None
    if len(text) > _MAX_TEXT:
        fault = f"it is longer than {_MAX_TEXT} characters"
    elif not _VISIBLE.fullmatch(text):
        fault = "it holds a space, or what is not ASCII"
    elif _USER_IN_URL.search(text):
        raise Invalid("a URL with a user name or a password in it would become public: leave them out")
    else:
        fault = _address_fault(text)
    if fault:
        raise Invalid(f"{text[:100]!r} is not a URL of the form https://host/path: {fault}")
    return text


def parse_repository(text: str) -> str:
    """A repository's URL, in the one form that two of them are compared in: without `.git` or `/` at its end."""
    return parse_https_url(text).rstrip("/").removesuffix(".git")


def _address_fault(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        return str(error)
    return None if parts.scheme == "https" and parts.hostname else "it does not begin with https:// and a host"


def parse_builder(text: str) -> str:
    """A builder's id, most often a URI, in 1 to 2048 visible characters and without a password."""
    if len(text) > _MAX_TEXT or not _VISIBLE.fullmatch(text):
        raise Invalid(
            f"{text[:100]!r} can't be a builder's id: write a URI, or 1 to {_MAX_TEXT} visible characters"
        )
    if _USER_IN_URL.search(text):
        raise Invalid("a builder's URL with a user name or a password in it would become public: leave them out")
    return text


def settle_source(given: Source, attested: Iterable[Source], surroundings: Source) -> Source:
    """What a build's source is: as given, else as attested, else as the surroundings (a CI system) have it.

    What is attested may have been built elsewhere than where it is published, so the surroundings count only
    where nothing is attested of the source. Raises `Invalid` where two of the given and the attested differ.
    """
    attested = [source for source in attested if source != Source()]
    claims = [given, *attested]
    assumed = Source() if attested else surroundings
    return Source(
        _agreed("repository", [claim.repository for claim in claims]) or assumed.repository,
        _agreed("commit", [claim.commit for claim in claims]) or assumed.commit,
    )


def _agreed(what: str, claims: list[str | None]) -> str | None:
    named = list(dict.fromkeys(claim for claim in claims if claim is not None))
    if len(named) > 1:
        raise Invalid(
            f"{named[0]} and {named[1]} are both named as the build's {what}: what is given and what is attested"
            " must agree"
        )
    return named[0] if named else None
