"""The one way in which the routing table is changed: state and audit row in one transaction, then the snapshot."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import partial
from typing import Protocol, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed, HeadraceError, Invalid, KeyReused, NotFound, Refused, Stale, UnknownProduct
from bundles.core.manifest import Manifest
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys, check_signer
from bundles.core.version import Version
from bundles.load import load_build
from bundles.ports import Store
from release.core.audit import GLASS_BROKEN, MAX_ACTOR_LENGTH, MAX_KEY_LENGTH, PUBLISH, Change, Entry
from release.core.codec import encode_document
from release.core.routing import MAX_REASON_LENGTH, RoutingTable
from release.core.snapshot import Root
from release.overview import Overview
from release.ports import Clock, KeyUse, Ledger, SnapshotStore, Transaction
from release.snapshot import Position, check_change, sync_snapshot
from release.trail import opened

KEY_SECONDS = 24 * 3600
"""How long an idempotency key is kept."""
MOST_PUBLISHED = 1_000
"""A change that expects a revision is made though so many builds were published since."""

T = TypeVar("T")


class Author(msgspec.Struct, frozen=True):
    """Who asks for a change and why; with `expected_revision`, only if nothing has changed since that was read.
    Builds that were published since are no change.

    With `breaks_glass` the change goes through freezes, past smoke tests and without approval, which needs a
    reason and is in the audit trail as such.
    With `key`, an idempotency key of the actor's, the same request is made once, however often it is sent.
    """

    actor: str
    reason: str = ""
    expected_revision: int | None = None
    breaks_glass: bool = False
    key: str | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.actor) <= MAX_ACTOR_LENGTH or not _is_one_line(self.actor):
            raise Invalid(f"an actor's name is one line of 1 to {MAX_ACTOR_LENGTH} characters, in UTF-8")
        if len(self.reason) > MAX_REASON_LENGTH or not _is_one_line(self.reason):
            raise Invalid(f"a reason is one line of at most {MAX_REASON_LENGTH} characters, in UTF-8")
        if self.breaks_glass and not self.reason.strip():
            raise Invalid("to break the glass, give a reason: it is kept in the audit trail")
        if self.key is not None and (not 0 < len(self.key) <= MAX_KEY_LENGTH or not _is_one_line(self.key)):
            raise Invalid(f"an idempotency key is one line of 1 to {MAX_KEY_LENGTH} characters, in UTF-8")

    @property
    def audited_reason(self) -> str:
        """The reason as the audit trail has it."""
        return f"{GLASS_BROKEN}{self.reason}" if self.breaks_glass else self.reason


def _is_one_line(text: str) -> bool:
    """False for control characters, and for what is no UTF-8: it could be neither stored nor shown."""
    return text.isprintable()


class Subject(msgspec.Struct, frozen=True):
    """What a change is about: its verb, its product and the thing of it that changes.

    `asked` is all else that the request says, by which a request with an idempotency key is known again. Where a
    request makes several changes, each has a `part` of its own.
    """

    verb: str
    product: Product
    name: str
    asked: object = None
    part: str = ""


class Begin(Protocol):
    """Begins the change that was asked for.

    `name` and `reason` are for the audit row, where they are known no sooner than now.
    """

    def __call__(
        self, *, name: str | None = None, reason: str | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that ends with the audit row, the next revision and a new snapshot."""
        ...


class _Repeated(Exception):
    """The request was made before, with this key: nothing is changed. `entry` is what it made then."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.revision)
        self.entry = entry


class Previewed(Exception):
    """A change that was tried and not made: the routing table as it is, and as it would be."""

    def __init__(self, before: RoutingTable, after: RoutingTable) -> None:
        super().__init__("the change was only tried")
        self.before = before
        self.after = after


class Control(msgspec.Struct, frozen=True):
    """The real parts that the control plane's use cases work with; `overview` remembers what it has seen.

    In a preview each change is made as ever, until just before it would be recorded; then it raises `Previewed`.
    """

    ledger: Ledger
    snapshots: SnapshotStore
    builds: Store
    clock: Clock
    signing_key: Ed25519PrivateKey
    trusted: TrustedKeys
    is_preview: bool = False
    overview: Overview = msgspec.field(default_factory=Overview)

    async def once(
        self,
        subject: Subject,
        author: Author,
        act: Callable[[Begin], Awaitable[T]],
        again: Callable[[Entry], T],
    ) -> T:
        """What `act` makes by the change that it begins, or what `again` reads of what it made when it was asked
        for before, with the author's idempotency key. There is no other way to a change.

        Raises `Conflict` where the author expected another revision or used the idempotency key for another
        request, `Refused` where the key may not sign snapshots or origins could not load the next one. Where it
        raises, nothing is changed, but for a `Failed` that says the change is committed: the snapshot is then
        written by the next change or start.
        """
        try:
            if (earlier := await self.earlier(subject, author)) is None:
                return await act(partial(self._change, subject, author))
        except _Repeated as repeated:
            earlier = repeated.entry
        if self.is_preview:
            table = await self.ledger.table()
            raise Previewed(table, table)
        await self._serve(earlier.revision)  # who made it may have been killed before it had written the snapshot
        return again(earlier)

    async def earlier(self, subject: Subject, author: Author) -> Entry | None:
        """What the same request made when it was asked for before. Raises `Conflict` as `once` does."""
        if author.key is None:
            return None
        async with self.ledger.transaction() as transaction:
            return await self._earlier(transaction, subject, author)

    async def sync(self, *, thorough: bool = False) -> Root:
        """Bring the snapshot up to the ledger, as `sync_snapshot` does."""
        return await sync_snapshot(
            self.ledger, self.snapshots, self.signing_key, self.trusted, self.clock.now(), thorough=thorough
        )

    @asynccontextmanager
    async def _change(
        self, subject: Subject, author: Author, *, name: str | None = None, reason: str | None = None
    ) -> AsyncIterator[Transaction]:
        check_signer(self.signing_key, self.trusted, None)
        async with self.ledger.transaction() as transaction:
            if (earlier := await self._earlier(transaction, subject, author)) is not None:
                raise _Repeated(earlier)
            begun = await _check_revision(transaction, author)
            before = await transaction.table() if self.is_preview else None
            yield transaction
            if before is not None:
                raise Previewed(before, await transaction.table())
            revision = await transaction.record(
                Change(
                    at=self.clock.now(),
                    actor=author.actor,
                    verb=subject.verb,
                    product=subject.product,
                    subject=subject.name if name is None else name,
                    reason=author.audited_reason if reason is None else reason,
                )
            )
            await self._keep_key(transaction, subject, author, revision)
            await check_change(transaction, self.snapshots, self.trusted, begun, self.clock.now())
        await self._serve(revision)

    async def _serve(self, revision: int) -> None:
        """Write the snapshot of what is committed."""
        try:
            await self.sync()
        except HeadraceError as error:
            raise Failed(
                f"revision {revision} is committed, but origins can't see it yet: {error}. The controller writes"
                " the snapshot as soon as it can"
            ) from None

    async def _earlier(self, transaction: Transaction, subject: Subject, author: Author) -> Entry | None:
        key = _key(subject, author)
        use = None if key is None else await transaction.key_use(author.actor, key)
        if use is None or use.at <= self.clock.now() - KEY_SECONDS:
            return None
        if use.request != _digest(subject, author):
            raise KeyReused(
                f"the idempotency key {author.key!r} was used for another request, which made revision"
                f" {use.revision}: take a new key for each request"
            )
        return await transaction.entry(use.revision)

    async def _keep_key(self, transaction: Transaction, subject: Subject, author: Author, revision: int) -> None:
        key = _key(subject, author)
        if key is None:
            return
        now = self.clock.now()
        await transaction.forget_keys(now - KEY_SECONDS)
        await transaction.save_key_use(KeyUse(author.actor, key, _digest(subject, author), revision, now))

    async def require_build(self, product: Product, version: Version) -> Manifest:
        """The build. Raises `Invalid` for one that was never published, `Failed` for a wrong signature."""
        manifest = await load_build(self.builds, self.trusted, product, version)
        if manifest is not None:
            return manifest
        versions = await self.builds.versions(product)
        if versions:
            newest = ", ".join(reversed(versions[-5:]))
            raise NotFound(f"there is no build {product}@{version}; the newest published are: {newest}")
        raise await self.unknown_product(product)

    async def unknown_product(self, product: Product) -> UnknownProduct:
        """The error for a product that nothing is known of, with those that are known."""
        return UnknownProduct(f"unknown product {product!r}", await self.builds.products())


async def refuse_retired(transaction: Transaction, product: Product, version: Version) -> None:
    """Raises `Refused` for a build that was retired, also since `require_build` has seen it."""
    if version in await transaction.retired(product):
        raise Refused(f"{product}@{version} was retired: publish its files as a new version")


def _key(subject: Subject, author: Author) -> str | None:
    """The author's key for this change, of all that the request makes."""
    return f"{author.key}/{subject.part}" if author.key and subject.part else author.key


def _digest(subject: Subject, author: Author) -> Digest:
    """Of all that was asked for: of two requests with one key it says whether they are the same."""
    return digest_of(encode_document([subject, msgspec.structs.replace(author, key=None)]))


async def _check_revision(transaction: Transaction, author: Author) -> Position:
    revision, expected = await transaction.revision(), author.expected_revision
    if expected is not None and not await _is_as_expected(transaction, revision, expected):
        raise Stale(
            f"the routing table is at revision {revision}, not {expected}: look at what changed, then try again"
        )
    return revision, await transaction.audit_head()


async def _is_as_expected(transaction: Transaction, revision: int, expected: int) -> bool:
    """Whether nothing but builds was published since: pipelines must not keep engineers from a change."""
    if not 0 <= revision - expected <= MOST_PUBLISHED:
        return False
    async with aclosing(transaction.trail(after=expected)) as rows:
        verbs = [opened(row).verb async for row in rows]
    return verbs == [PUBLISH] * (revision - expected)
