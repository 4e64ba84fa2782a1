"""What is asked of a publish."""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.budget import Budget
from bundles.core.envelope import TrustedKeys
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.ports import ArtifactSource, Store

DEFAULT_DELTA_BYTES = 16 * 1024 * 1024


class Publisher(msgspec.Struct, frozen=True):
    """The real parts that publishing works with."""

    store: Store
    signing_key: Ed25519PrivateKey
    trusted: TrustedKeys
    cores: Cores


class Order(msgspec.Struct, frozen=True):
    """The build to make.

    `bases` are the builds that clients most probably hold, the likeliest first: deltas are made against them,
    of at most `delta_bytes` in all, and growth is measured against the first.
    """

    product: Product
    version: Version
    source: ArtifactSource
    bases: tuple[Version, ...] = ()
    delta_bytes: int = DEFAULT_DELTA_BYTES
    budgets: tuple[Budget, ...] = ()
