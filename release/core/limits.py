"""How large a routing table may be. Who writes it and who loads it hold it to the same limits."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bundles.core.errors import Invalid
from bundles.core.names import Product
from release.core.routing import ProductRoutes

MAX_TABLE_BYTES = 512 * 1024 * 1024
MAX_SHARD_BYTES = 16 * 1024 * 1024
MAX_PRODUCTS = 200_000
MAX_PINS = 1_000_000
MAX_TENANTS = 1_000_000
MAX_CHANNELS = 1_000
MAX_BLOCKS = 10_000
MAX_RETIRED = 100_000
_LEVELS = (80, 50)


class Use(msgspec.Struct, frozen=True):
    """How much of a limit is used. `what` is for people, as in `pins`."""

    what: str
    used: int
    most: int

    @property
    def level(self) -> int:
        """The percentage to warn of that is reached: 80, 50 or 0."""
        return next((level for level in _LEVELS if self.used * 100 >= level * self.most), 0)


def uses_of_routes(products: Mapping[Product, ProductRoutes]) -> Iterator[Use]:
    """What each product's routes use of the limits that hold for one product."""
    for product, routes in products.items():
        yield Use(f"channels of {product}", len(routes.channels), MAX_CHANNELS)
        yield Use(f"blocked builds of {product}", len(routes.blocks), MAX_BLOCKS)
        yield Use(f"retired builds of {product}", len(routes.retired), MAX_RETIRED)


def check_limits(uses: Iterable[Use]) -> None:
    """Raise `Invalid` where one is exceeded."""
    for use in uses:
        if use.used > use.most:
            raise Invalid(f"{use.used} {use.what} are too many: at most {use.most} are loaded")
