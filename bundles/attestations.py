"""Attestations of a build: checked to be about it, kept with it, and verified whenever that is asked."""

from collections.abc import Iterable, Mapping, Sequence

import anyio.to_thread
import msgspec

from bundles.core.attestation import Attestation, is_about, parse_attestations
from bundles.core.builders import BuilderKey, Identity, State, Verdict, verify_by_key
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed, Invalid, Refused
from bundles.core.manifest import Manifest
from bundles.core.provenance import AttestationRef, Provenance, Source
from bundles.ports import BlobMissing, BuildReader, CertificateVerifier, Store
from bundles.verify import read_stored

_ABOUT_ANOTHER = "is about none of this build's files and inputs"


class Builders(msgspec.Struct, frozen=True):
    """Whose attestations are believed, and who verifies certificates."""

    keys: Mapping[str, BuilderKey]
    identities: tuple[Identity, ...]
    certificates: CertificateVerifier


class Attested(msgspec.Struct, frozen=True):
    """One attestation of a build as it is found now.

    `fault` is set where what is stored is damaged or about another build; else `state` says what is known of
    its signature, and `detail` by whom or why. `source` and `builder` are what it states.
    """

    predicate_type: str
    digest: Digest
    state: State
    detail: str
    source: Source = Source()
    builder: str | None = None
    fault: str | None = None

    def __str__(self) -> str:
        """For a person."""
        return self.fault or f"{self.state}, {self.detail}"

    @property
    def is_well(self) -> bool:
        """True unless it is damaged, of another build, or wrongly signed."""
        return self.fault is None and self.state is not State.BAD


async def keep_attestations(store: Store, attestations: Sequence[Attestation], manifest: Manifest) -> None:
    """Store what attests a build that is being published. Raises `Invalid` for what is about something else."""
    things = _things(manifest)
    for attestation in attestations:
        if not is_about(attestation.statement, things):
            raise Invalid(
                f"the attestation {attestation.statement.predicate_type} {_ABOUT_ANOTHER}: publish the archive"
                " that it is about, or name that with --input"
            )
    for attestation in attestations:
        await store.put_blob(attestation.ref.digest, attestation.document)


async def verify_attestations(store: BuildReader, manifest: Manifest, builders: Builders) -> list[Attested]:
    """Each attestation of a build whose manifest's signature holds, read again and verified."""
    provenance = manifest.provenance or Provenance()
    things = _things(manifest)
    return [await _verify(store, ref, things, builders) for ref in provenance.attestations]


def refuse_forgeries(attestations: Iterable[Attestation], builders: Builders) -> None:
    """Raises `Refused` for an attestation whose signature is wrong; blocks."""
    for attestation in attestations:
        verdict = verdict_on(attestation, builders)
        if verdict.state is State.BAD:
            raise Refused(
                f"the attestation {attestation.statement.predicate_type} has a bad signature: {verdict.detail}"
            )


def verdict_on(attestation: Attestation, builders: Builders) -> Verdict:
    """What is known of an attestation's signature; blocks."""
    if attestation.is_certified:
        return builders.certificates.verify(attestation, builders.identities)
    return verify_by_key(attestation, builders.keys)


async def _verify(
    store: BuildReader, ref: AttestationRef, things: Sequence[Mapping[str, str]], builders: Builders
) -> Attested:
    found = Attested(ref.predicate_type, ref.digest, State.UNVERIFIED, "it can't be read")
    try:
        document = await read_stored(store, ref)
        if digest_of(document) != ref.digest:
            return msgspec.structs.replace(found, fault=f"its blob {ref.digest} does not have that digest")
        (attestation,) = parse_attestations(document, f"the blob {ref.digest}")
    except BlobMissing:
        return msgspec.structs.replace(found, fault=f"its blob {ref.digest} is missing")
    except (Failed, Invalid) as error:
        return msgspec.structs.replace(found, fault=str(error))
    if not is_about(attestation.statement, things):
        return msgspec.structs.replace(found, fault=f"it {_ABOUT_ANOTHER}")
    verdict = await anyio.to_thread.run_sync(verdict_on, attestation, builders)
    statement = attestation.statement
    return msgspec.structs.replace(
        found, state=verdict.state, detail=verdict.detail, source=statement.source, builder=statement.builder
    )


def _things(manifest: Manifest) -> list[dict[str, str]]:
    """The build's artifacts and inputs, each by its digests in hex: what an attestation may be about."""
    provenance = manifest.provenance or Provenance()
    inputs = [{"sha256": given.digest, "sha512": given.sha512} for given in provenance.inputs]
    return inputs + [{"sha256": artifact.digest} for artifact in manifest.artifacts]
