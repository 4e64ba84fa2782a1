"""Retire: make builds that nobody needs stop existing, then remove the blobs that no build needs.

The routing table says first that a build is retired, in a transaction on the very revision that was decided by;
only then is its manifest taken away. So a rollout or a pin that begins at the same time either is first, and the
build stays, or finds the build retired and is refused. What a crash left undone, the next run does.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from bundles.core.errors import Invalid, Refused
from bundles.core.names import Product
from bundles.core.retention import Decision, Policy, Verdict, decide, decide_named
from bundles.core.version import Version
from bundles.ports import Store, Sweeper
from bundles.sweep import Garbage, measure, sweep
from release.change import Author, Control, Subject
from release.core.needs import needed_builds, without
from release.core.routing import ProductRoutes, RoutingTable
from release.snapshot import sync_snapshot


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for: a policy for all products that match a pattern, or builds of one product by name."""

    products: str
    policy: Policy
    named: tuple[Version, ...] = ()


class Decided(msgspec.Struct, frozen=True):
    """A product's builds, each with its verdict, at a revision of the routing table."""

    product: Product
    revision: int
    decisions: tuple[Decision, ...]

    @property
    def retired(self) -> list[Version]:
        """The builds that go."""
        return [decision.version for decision in self.decisions if decision.verdict is Verdict.RETIRE]


class Retirement(msgspec.Struct, frozen=True):
    """What was decided of each product, and what is garbage with it."""

    products: tuple[Decided, ...]
    garbage: Garbage


async def preview_retirement(control: Control, store: Store, wanted: Wanted) -> Retirement:
    """What `retire` would do now. Changes nothing; raises as `retire` does."""
    table = await control.ledger.table()
    decided = [await _decide(control, store, wanted, product, table) for product in await _products(store, wanted)]
    going = {(each.product, version) for each in decided for version in each.retired}
    return Retirement(tuple(decided), await measure(store, control.trusted, going, control.clock.now()))


async def retire(control: Control, store: Store, wanted: Wanted, author: Author) -> Retirement:
    """Retire and sweep.

    Raises `Refused` for a named build that is needed, and where nothing was ever released, since it is not known
    then what is needed; `Conflict` where a publish is running or a release engineer was faster; `Failed` where a
    build can't be read. It may always be run again.
    """
    await sync_snapshot(control.ledger, control.snapshots, control.signing_key, control.trusted)
    async with store.sweeping() as sweeper:
        decided = [
            await _retire(control, store, sweeper, wanted, product, author)
            for product in await _products(store, wanted)
        ]
        return Retirement(tuple(decided), await sweep(store, sweeper, control.trusted, control.clock.now()))


async def _products(store: Store, wanted: Wanted) -> Sequence[Product]:
    known = await store.products()
    matching = [product for product in known if fnmatchcase(product, wanted.products)]
    if not matching:
        raise Invalid(f"no product matches {wanted.products!r}; known are {', '.join(known[:10]) or 'none'}")
    return matching


async def _retire(
    control: Control, store: Store, sweeper: Sweeper, wanted: Wanted, product: Product, author: Author
) -> Decided:
    table = await control.ledger.table()
    decided = await _decide(control, store, wanted, product, table)
    new = [version for version in decided.retired if version not in _routes(table, product).retired]
    if new:
        at_this_revision = msgspec.structs.replace(author, expected_revision=table.revision)
        async with control.change(Subject("retire", product, " ".join(new)), at_this_revision) as transaction:
            await transaction.add_retired(product, new)
            for name, state in (await transaction.channels(product)).items():
                await transaction.save_channel(product, name, without(state, new))
    for version in decided.retired:
        await sweeper.retire_manifest(product, version)
    return decided


async def _decide(
    control: Control, store: Store, wanted: Wanted, product: Product, table: RoutingTable
) -> Decided:
    if table.revision == 0:
        raise Refused(
            "nothing was ever released from this data folder, so it is not known which builds are needed: retire"
            " them where the control database is"
        )
    now = control.clock.now()
    routes = _routes(table, product)
    published_at = await store.published_at(product)
    for version in wanted.named:
        if version not in published_at and version not in routes.retired:
            raise Invalid(f"there is no build {product}@{version}")
    standing = {version: at for version, at in published_at.items() if version not in routes.retired}
    needs = needed_builds(routes, wanted.policy.keep, now)
    if wanted.named:
        decisions = decide_named([version for version in wanted.named if version in standing], standing, needs)
    else:
        decisions = decide(wanted.policy, standing, needs, now)
    half_done = [
        Decision(version, at, Verdict.RETIRE, "retired before, but not taken away yet")
        for version, at in published_at.items()
        if version in routes.retired
    ]
    return Decided(product, table.revision, (*decisions, *half_done))


def _routes(table: RoutingTable, product: Product) -> ProductRoutes:
    return table.products.get(product, ProductRoutes())
