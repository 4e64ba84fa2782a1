"""What a publish needs to know of the builds that clients hold, by the routing table."""

import msgspec

from bundles.core.errors import Invalid
from bundles.order import Order
from release.core.held import held_builds
from release.core.names import Channel
from release.core.routing import ProductRoutes, RoutingTable


class Held(msgspec.Struct, frozen=True):
    """The routing table, or None before the first, and the channel whose clients count."""

    table: RoutingTable | None
    channel: Channel

    def complete(self, order: Order, deltas: int) -> Order:
        """The order with the builds to make so many deltas against, and the one to measure growth against.

        Raises `Invalid` where the product has channels but this one has no build: the name is misspelt.
        """
        table = RoutingTable(0) if self.table is None else self.table
        routes = table.products.get(order.product, ProductRoutes())
        held = held_builds(routes, self.channel, deltas + 2)
        if routes.channels and not held and any(budget.is_of_growth for budget in order.budgets):
            raise Invalid(
                f"growth can't be measured: channel {self.channel} of {order.product} has no build; name another"
            )
        earlier = [version for version in held if version != order.version]
        return msgspec.structs.replace(
            order, bases=tuple(earlier[:deltas]), baseline=earlier[0] if earlier else None
        )
