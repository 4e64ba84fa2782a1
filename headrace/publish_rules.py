"""What the options of `headrace publish` and `headrace publish-batch` ask of each build."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bundles.attestations import refuse_forgeries
from bundles.core.attestation import Attestation
from bundles.core.budget import Budget, parse_budget
from bundles.core.names import ArtifactPath, Product, parse_artifact_path
from bundles.core.provenance import Provenance
from bundles.core.version import Version
from bundles.order import Order
from headrace import publish_wiring, wiring
from headrace.provenance_given import Given, provenance_of, with_archive


class Made(msgspec.Struct, frozen=True):
    """How builds were made, and what attests that."""

    provenance: Provenance
    attestations: tuple[Attestation, ...]


class Rules(msgspec.Struct, frozen=True):
    """The rules that builds are made by, as `Order` has them."""

    budgets: tuple[Budget, ...]
    source_maps: bool
    allowed_secrets: frozenset[ArtifactPath]
    made: Made

    def order(self, product: Product, version: Version, files: Path) -> Order:
        """The order for the build of these files; an archive is read for its digest."""
        return Order(
            product,
            version,
            budgets=self.budgets,
            source_maps=self.source_maps,
            allowed_secrets=self.allowed_secrets,
            provenance=with_archive(self.made.provenance, files),
            attestations=self.made.attestations,
        )


def parse_rules(
    data: Path,
    budgets: Sequence[str] | None,
    allowed_secrets: Sequence[str] | None,
    given: Given,
    attestations: Sequence[Path] | None,
    *,
    source_maps: bool,
) -> Rules:
    """The rules that these options say. Raises `Invalid`, and `Refused` for an attestation that is forged."""
    return Rules(
        budgets=tuple(parse_budget(text) for text in budgets or ()),
        source_maps=source_maps,
        allowed_secrets=frozenset(parse_artifact_path(text) for text in allowed_secrets or ()),
        made=_made(data, given, attestations),
    )


def made_of(data: Path, given: Given, attestations: Sequence[Path] | None, files: Path) -> Made:
    """How the build of these files was made; an archive is read for its digest. Raises as `parse_rules`."""
    made = _made(data, given, attestations)
    return msgspec.structs.replace(made, provenance=with_archive(made.provenance, files))


def _made(data: Path, given: Given, attestations: Sequence[Path] | None) -> Made:
    attested = publish_wiring.attestations(attestations or ())
    refuse_forgeries(attested, wiring.builders(data))
    return Made(provenance_of(given, attested, os.environ), attested)
