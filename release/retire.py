"""Retire: make builds that nobody needs stop existing, then remove the blobs that no build needs.

The routing table says first that a build is retired, in a transaction on the very routes that were decided by;
only then is its manifest taken away. So a rollout or a pin that begins at the same time either is first, and the
build stays, or finds the build retired and is refused. What a crash left undone, the next run does.

Every build that stays is read before the first one goes: it must be known what it needs.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from bundles.core.errors import Conflict, NotFound, Refused, UnknownProduct
from bundles.core.names import Product
from bundles.core.retention import Decision, Policy, Verdict, decide, decide_named
from bundles.core.version import Version
from bundles.ports import Store, Sweeper
from bundles.sweep import Garbage, IsOver, TimeIsOver, measure, needed_blobs, never, sweep
from release.change import Author, Begin, Control, Subject
from release.core.audit import Entry
from release.core.needs import needed_builds, without
from release.core.routing import ProductRoutes, RoutingTable
from release.ports import Transaction


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for: a policy for all products that match a pattern, or builds of one product by name."""

    products: str
    policy: Policy
    named: tuple[Version, ...] = ()


class Decided(msgspec.Struct, frozen=True):
    """A product's builds, each with its verdict, and those that are named but were retired `already`."""

    product: Product
    decisions: tuple[Decision, ...]
    already: tuple[Version, ...] = ()

    @property
    def retired(self) -> list[Version]:
        """The builds that go."""
        return [decision.version for decision in self.decisions if decision.verdict is Verdict.RETIRE]


class Retirement(msgspec.Struct, frozen=True):
    """What was decided of each product, and what is garbage with it.

    So many builds are `left` to retire where the time was over; then no blob was looked at.
    """

    products: tuple[Decided, ...]
    garbage: Garbage
    left: int = 0


async def preview_retirement(
    control: Control, store: Store, wanted: Wanted, is_over: IsOver = never
) -> Retirement:
    """What `retire` would do now. Changes nothing; raises as `retire` does."""
    decided = await _decide_all(control, store, wanted, await control.ledger.table(), is_over)
    needed = await needed_blobs(store, control.trusted, _going(decided), is_over)
    return Retirement(decided, await measure(store, needed, control.clock.now(), is_over))


async def retire(
    control: Control, store: Store, wanted: Wanted, author: Author, is_over: IsOver = never
) -> Retirement:
    """Retire and sweep.

    Raises `Refused` for a named build that is needed, and where nothing was ever released, since it is not known
    then what is needed, and `Failed` where a build that stays can't be read: nothing is changed then. `Conflict`
    is raised where a publish is running or a release engineer was faster. It may always be run again.

    With an idempotency key, no more builds of a product are retired than when it was asked for before.

    Once the time `is_over`, it ends: what is left is done when it is asked for again. Some builds are retired each
    time, unless it was over before it was known what may go, which raises `TimeIsOver`.
    """
    await control.sync()
    async with store.sweeping() as sweeper:
        table = await control.ledger.table()
        decided = await _decide_all(control, store, wanted, table, is_over, author)
        needed = await needed_blobs(store, control.trusted, _going(decided), is_over)
        has_retired = False
        for place, each in enumerate(decided):
            if has_retired and is_over():  # and no blob goes: what is left of the builds still needs some
                left = sum(len(later.retired) for later in decided[place:])
                return Retirement(decided[:place], Garbage(is_whole=False), left)
            await _retire(control, sweeper, wanted, each, _routes(table, each.product), author)
            has_retired = has_retired or bool(each.retired)
        return Retirement(decided, await sweep(store, sweeper, needed, control.clock.now(), is_over))


async def _decide_all(
    control: Control,
    store: Store,
    wanted: Wanted,
    table: RoutingTable,
    is_over: IsOver,
    author: Author | None = None,
) -> tuple[Decided, ...]:
    if table.revision == 0:
        raise Refused(
            "nothing was ever released from this data folder, so it is not known which builds are needed: retire"
            " them where the control database is"
        )
    products = await _products(store, wanted, table)
    decided = []
    for product in products:
        if is_over():
            raise TimeIsOver("all products were looked at")
        before = None if author is None else await control.earlier(_subject(wanted, product), author)
        decided.append(await _decide(control, store, wanted, product, _routes(table, product), before))
    return tuple(decided)


async def _products(store: Store, wanted: Wanted, table: RoutingTable) -> Sequence[Product]:
    once = {product for product, routes in table.products.items() if routes.retired}
    known = sorted(once.union(await store.products()))
    matching = [product for product in known if fnmatchcase(product, wanted.products)]
    if not matching:
        raise UnknownProduct(f"no product matches {wanted.products!r}", known)
    return matching


def _going(decided: Iterable[Decided]) -> set[tuple[Product, Version]]:
    return {(each.product, version) for each in decided for version in each.retired}


async def _retire(
    control: Control, sweeper: Sweeper, wanted: Wanted, decided: Decided, routes: ProductRoutes, author: Author
) -> None:
    product = decided.product
    new = [version for version in decided.retired if version not in routes.retired]

    async def act(begin: Begin) -> None:
        async with begin(name=" ".join(new)) as transaction:
            if await _present_routes(transaction, product) != routes:
                raise Conflict(f"{product} was changed meanwhile: look at what changed, then try again")
            await transaction.add_retired(product, new)
            for name, state in routes.channels.items():
                await transaction.save_channel(product, name, without(state, new))

    if new:
        await control.once(_subject(wanted, product), author, act, lambda _: None)
    for version in decided.retired:
        await sweeper.retire_manifest(product, version)


def _subject(wanted: Wanted, product: Product) -> Subject:
    """A product's part of what is asked for."""
    return Subject("retire", product, wanted.products, asked=wanted, part=product)


async def _present_routes(transaction: Transaction, product: Product) -> ProductRoutes:
    return ProductRoutes(
        channels=await transaction.channels(product),
        pins=await transaction.pins(product),
        blocks=await transaction.blocks(product),
        retired=await transaction.retired(product),
    )


async def _decide(
    control: Control,
    store: Store,
    wanted: Wanted,
    product: Product,
    routes: ProductRoutes,
    before: Entry | None,
) -> Decided:
    """The verdicts; where the same request was made `before`, only what is left to do of it."""
    published_at = await store.published_at(product)
    half_done = [
        Decision(version, at, Verdict.RETIRE, "retired before, but not taken away yet")
        for version, at in published_at.items()
        if version in routes.retired
    ]
    if before is not None:
        retired = [Version(text) for text in before.subject.split()]
        return Decided(product, tuple(half_done), tuple(each for each in retired if each not in published_at))
    decisions = _verdicts(wanted, product, routes, published_at, control.clock.now())
    already = [version for version in wanted.named if version in routes.retired and version not in published_at]
    return Decided(product, (*decisions, *half_done), tuple(dict.fromkeys(already)))


def _verdicts(
    wanted: Wanted, product: Product, routes: ProductRoutes, published_at: Mapping[Version, int], now: int
) -> Sequence[Decision]:
    for version in wanted.named:
        if version not in published_at and version not in routes.retired:
            raise NotFound(f"there is no build {product}@{version}")
    standing = {version: at for version, at in published_at.items() if version not in routes.retired}
    needs = needed_builds(routes, wanted.policy.keep, now)
    if wanted.named:
        return decide_named([version for version in wanted.named if version in standing], standing, needs)
    return decide(wanted.policy, standing, needs, now)


def _routes(table: RoutingTable, product: Product) -> ProductRoutes:
    return table.products.get(product, ProductRoutes())
