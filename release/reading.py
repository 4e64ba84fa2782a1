"""What several use cases read within a change."""

from bundles.core.names import Product
from release.core.routing import ProductRoutes
from release.ports import Transaction


async def routes_of(transaction: Transaction, product: Product) -> ProductRoutes:
    """All that decides the product, as it is in this change so far."""
    return ProductRoutes(
        channels=await transaction.channels(product),
        pins=await transaction.pins(product),
        blocks=await transaction.blocks(product),
        retired=await transaction.retired(product),
    )
