"""What a rule of the policy is for."""

from fnmatch import fnmatchcase

import msgspec

from bundles.core.names import Product
from release.core.names import Channel
from release.core.written import Texts

EVERYTHING = ("*",)


class ForProducts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A rule for the products whose names match; for all of them unless it says otherwise.

    `*` stands for any characters, as in `posthog-*` or `@*/content`.
    """

    products: Texts = EVERYTHING

    def is_for_product(self, product: Product) -> bool:
        """True where the rule holds for this product."""
        return any(fnmatchcase(product, pattern) for pattern in self.products)


class Scoped(ForProducts, frozen=True, kw_only=True):
    """A rule for some channels of those products; for all of them unless it says otherwise."""

    channels: Texts = EVERYTHING

    def is_for(self, product: Product, channel: Channel) -> bool:
        """True where the rule holds for this channel of this product."""
        return self.is_for_product(product) and any(fnmatchcase(channel, pattern) for pattern in self.channels)
