"""What is asked of a publish."""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.attestation import Attestation
from bundles.core.budget import Budget
from bundles.core.names import ArtifactPath, Product
from bundles.core.provenance import Provenance
from bundles.core.trust import TrustedKeys
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.ports import Store

DEFAULT_DELTA_BYTES = 16 * 1024 * 1024


class Publisher(msgspec.Struct, frozen=True):
    """The real parts that publishing works with."""

    store: Store
    signing_key: Ed25519PrivateKey
    trusted: TrustedKeys
    cores: Cores


class Order(msgspec.Struct, frozen=True):
    """Which build to make, and by which rules.

    `bases` are the builds that clients most probably hold, the likeliest first: deltas are made against them,
    of at most `delta_bytes` in all. Growth is measured against `baseline`, an earlier build. Source maps are left
    out unless they are wanted. A file that seems to hold a secret is refused unless it is one of
    `allowed_secrets`. `provenance` is recorded with the build, and the `attestations` are kept with it.
    """

    product: Product
    version: Version
    bases: tuple[Version, ...] = ()
    delta_bytes: int = DEFAULT_DELTA_BYTES
    budgets: tuple[Budget, ...] = ()
    baseline: Version | None = None
    source_maps: bool = False
    allowed_secrets: frozenset[ArtifactPath] = frozenset()
    provenance: Provenance = Provenance()
    attestations: tuple[Attestation, ...] = ()

    def recorded(self) -> Provenance | None:
        """What the manifest says of how the build was made; None where nothing is known."""
        refs = tuple(attestation.ref for attestation in self.attestations)
        provenance = msgspec.structs.replace(self.provenance, attestations=refs)
        return None if provenance == Provenance() else provenance
