"""How a build was made, by what the options say of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bundles.core.attestation import Attestation
from bundles.core.errors import Invalid
from bundles.core.provenance import Provenance, Sbom, Source, parse_builder, parse_repository, settle_source
from headrace import publish_wiring
from headrace.ci import Surroundings, surroundings


class Given(msgspec.Struct, frozen=True):
    """What the options say."""

    commit: str | None
    repository: str | None
    builder: str | None
    inputs: Sequence[Path]
    sbom: str | None
    sbom_file: Path | None


def provenance_of(given: Given, attestations: Sequence[Attestation], environ: Mapping[str, str]) -> Provenance:
    """How the build was made: as given, else as attested, else as the CI system has it. Raises `Invalid`."""
    source = Source(parse_repository(given.repository) if given.repository else None, given.commit)
    builder = parse_builder(given.builder) if given.builder else None
    is_settled = source.repository and source.commit and builder
    around = Surroundings() if is_settled else surroundings(environ)
    attested = [attestation.statement for attestation in attestations]
    return Provenance(
        source=settle_source(source, [statement.source for statement in attested], around.source),
        builder=builder or next((s.builder for s in attested if s.builder), around.builder),
        inputs=publish_wiring.inputs(given.inputs),
        sbom=_sbom(given),
    )


def with_archive(provenance: Provenance, files: Path) -> Provenance:
    """The same of a build whose files are an archive, which is an input too. Raises `Invalid`."""
    if not files.is_file():
        return provenance
    inputs = (*publish_wiring.inputs([files]), *provenance.inputs)
    return msgspec.structs.replace(provenance, inputs=tuple(dict.fromkeys(inputs)))


def _sbom(given: Given) -> Sbom | None:
    if given.sbom is None:
        if given.sbom_file is not None:
            raise Invalid("--sbom-file gives the digest of what is at --sbom URL: name that too")
        return None
    if given.sbom_file is None:
        return Sbom(given.sbom)
    (read,) = publish_wiring.inputs([given.sbom_file])
    return Sbom(given.sbom, read.digest)
