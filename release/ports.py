"""What the control plane needs from outside: a ledger of its state, a place for snapshots, and a clock."""

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from bundles.core.digest import Digest
from bundles.core.errors import Failed
from bundles.core.manifest import Manifest
from bundles.core.names import Product
from bundles.core.version import Version
from release.core.audit import Change, Entry, Row
from release.core.check_rule import About
from release.core.counts import Counts, Slot
from release.core.gate import Verdict
from release.core.names import Channel, Environment, Tenant
from release.core.notices import Notice
from release.core.routing import Block, ChannelState, Pin, PinKey, RoutingTable
from release.core.shards import Part, PartKey
from release.core.smoke import SmokeOutcome, SmokeTest
from release.core.snapshot import ShardRef

T = TypeVar("T")
T_contra = TypeVar("T_contra", bound=SmokeTest, contravariant=True)

Record = tuple[str, Mapping[str, Any]]
"""One row of the ledger's content: its table's name, and its columns."""


class Undelivered(Failed):
    """A receiver did not take a notice. The message names the receiver, and nothing that is secret.

    `lasting` is true where asking again soon is of no use; `retry_after` is how many seconds it asked to wait.
    """

    def __init__(self, message: str, *, lasting: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.lasting = lasting
        self.retry_after = retry_after


class Unanswered(Failed):
    """What is asked for can't be known now, as of a database that is away: it says nothing of what is there."""


class Kind(msgspec.Struct, Generic[T], frozen=True):
    """A kind of named document that the ledger keeps for the control plane, beside what has tables of its own."""

    name: str
    type: type[T]


TENANTS = Kind("tenant", dict[str, str])
"""What is known of tenants, by their ids; a part of the routing table."""


class KeyUse(msgspec.Struct, frozen=True):
    """For which request an actor has used an idempotency key, and which revision that made.

    `request` is a digest of all that was asked for; `at` is in seconds since the epoch.
    """

    actor: str
    key: str
    request: Digest
    revision: int
    at: int


class Reading(Protocol):
    """The ledger's content at one revision, however many write meanwhile."""

    async def revision(self) -> int:
        """The routing table's present revision; 0 before the first change."""
        ...

    async def audit_head(self) -> str:
        """The hash of the audit trail's last row."""
        ...

    async def table(self, *, with_tenants: bool = True) -> RoutingTable:
        """The routing table, whole or without tenants' pins and attributes."""
        ...

    async def changed_since(self, revision: int, audit_head: str) -> Mapping[PartKey, Part] | None:
        """All parts that were changed after this revision, whose audit row has this hash, as they are now.

        None where that is not known, be it that the trail has another row there, or that too much was changed.
        """
        ...

    async def document(self, kind: Kind[T], name: str) -> T | None:
        """A document by its name."""
        ...

    async def documents(self, kind: Kind[T], *, after: str = "", limit: int | None = None) -> Mapping[str, T]:
        """All documents of a kind, by their names, or so many of them that come after a name.

        In the order that Python has for the names, as each part of a list is.
        """
        ...

    async def channels(self, product: Product) -> Mapping[Channel, ChannelState]:
        """All the product's channels."""
        ...

    async def pins(
        self, product: Product, *, after: PinKey | None = None, limit: int | None = None
    ) -> Mapping[str, Pin]:
        """The product's pins, by `tenant~environment`, or so many that come after one.

        In the order of tenants, and of one tenant's environments.
        """
        ...

    async def blocks(
        self, product: Product, *, after: str = "", limit: int | None = None
    ) -> Mapping[Version, Block]:
        """The product's blocked builds, or so many of them that come after a version; by their text."""
        ...

    def trail(
        self,
        product: Product | None = None,
        channel: Channel | None = None,
        *,
        after: int = 0,
        before: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> AsyncGenerator[Row, None]:
        """The audit trail after a revision and before another one, the oldest row first or the newest.

        Of a product, or of one channel of it, the rows that changed it alone. So many of them are read at the cost
        of these, however long the trail is.
        """
        ...

    def changed_channels(self) -> AsyncGenerator[tuple[int, Product, Channel], None]:
        """By which channels the trail's rows are found, each with the row's revision; in the revisions' order."""
        ...

    def records(self) -> AsyncGenerator[Record, None]:
        """All there is, as `Transaction.load` takes it."""
        ...


class Transaction(Reading, Protocol):
    """One change, alone: nobody else reads or writes between its first read and its end."""

    async def channel(self, product: Product, name: Channel) -> ChannelState | None:
        """A channel's state."""
        ...

    async def save_channel(self, product: Product, name: Channel, state: ChannelState) -> None:
        """Write a channel's state, new or known."""
        ...

    async def pin(self, product: Product, key: PinKey) -> Pin | None:
        """A tenant's pin."""
        ...

    async def save_pin(self, product: Product, key: PinKey, pin: Pin | None) -> None:
        """Write a tenant's pin; None takes it away."""
        ...

    async def save_block(self, product: Product, version: Version, block: Block | None) -> None:
        """Write a build's block; None takes it away."""
        ...

    async def retired(self, product: Product) -> frozenset[Version]:
        """The product's retired builds."""
        ...

    async def add_retired(self, product: Product, versions: Collection[Version]) -> None:
        """Retire builds, at least one and none of them retired already, for ever."""
        ...

    async def save_document(self, kind: Kind[T], name: str, document: T | None) -> None:
        """Write a document, new or known; None takes it away."""
        ...

    async def smoke_outcomes(
        self, product: Product, channel: Channel, candidate: Version
    ) -> Sequence[SmokeOutcome]:
        """What came of the smoke tests that were run for a candidate of this channel, oldest first."""
        ...

    async def add_smoke_outcome(self, product: Product, channel: Channel, outcome: SmokeOutcome) -> None:
        """Keep an outcome with the revision that this transaction makes."""
        ...

    async def key_use(self, actor: str, key: str) -> KeyUse | None:
        """What an actor has used a key for."""
        ...

    async def save_key_use(self, use: KeyUse) -> None:
        """Keep a use of a key, in the place of an older one."""
        ...

    async def forget_keys(self, before: int) -> None:
        """Forget the uses of keys before this time, in seconds since the epoch."""
        ...

    async def entry(self, revision: int) -> Entry:
        """The audit trail's entry for a revision that there has been."""
        ...

    async def record(self, change: Change) -> int:
        """Write the next revision, which is returned, and its audit row, with all that was found and left.

        Once in a transaction, at its end.
        """
        ...

    async def load(self, records: AsyncIterator[Record]) -> int:
        """Put this content in the place of all there is; how many records it had. `Failed` for what is none."""
        ...


class Ledger(Protocol):
    """The durable state of the control plane. Failing surroundings raise `Failed`."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Everything in it is committed at its end, or, where it raises, nothing."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Reading]:
        """A look at the content, which changes nothing."""
        ...

    async def table(self) -> RoutingTable:
        """The whole routing table, at one revision."""
        ...


class Backup(Protocol):
    """A place for one copy of the ledger's content."""

    async def write(self, records: AsyncIterator[Record]) -> int:
        """Put the records there, all or nothing; how many they are. Raises `Refused` where there are some."""
        ...

    def read(self) -> AsyncGenerator[Record, None]:
        """The records. Raises `Failed` where one is not as it was written."""
        ...


class SnapshotStore(Protocol):
    """Where the snapshot is put for origins to read: a sealed root, and the shards that it names."""

    def exclusive(self) -> AbstractAsyncContextManager[None]:
        """Keeps every other writer out, on this machine and in other processes."""
        ...

    async def read(self) -> bytes | None:
        """The sealed root, or None before the first. Raises `Failed`, and `Unanswered` where it can't be known."""
        ...

    async def read_shards(self, refs: Iterable[ShardRef]) -> Mapping[Digest, bytes]:
        """The shards' bytes, not yet checked. Raises `Failed` where one is missing or of another size."""
        ...

    async def lacks(self, refs: Iterable[ShardRef], *, thorough: bool) -> Collection[Digest]:
        """Those of the shards that are missing or cut; where it is to be thorough, also those with other bytes."""
        ...

    async def replace(self, sealed: bytes, new: Mapping[Digest, bytes], dropped: Collection[Digest]) -> None:
        """Put the new shards there and then, in place of the old one, the root that names them: all of it durably.

        A reader sees the one root or the other, and finds its shards. Those that are dropped, which the new root
        does not name any more, stay for an hour.
        """
        ...

    async def sweep(self, named: Collection[Digest]) -> None:
        """Remove all shards but these and those dropped within the last hour."""
        ...


class Candidate(msgspec.Struct, frozen=True):
    """What a smoke test is run on: a build, with the digest of its manifest, on its way to a channel."""

    channel: Channel
    manifest: Manifest
    digest: Digest


class SmokeResult(msgspec.Struct, frozen=True):
    """Whether a test passed, why in a line, and what it had to say, neither of them cleaned yet."""

    passed: bool
    finding: str
    output: str = ""


class SmokeRunner(Protocol[T_contra]):
    """Runs the smoke tests of one kind."""

    async def run(self, test: T_contra, candidate: Candidate) -> SmokeResult:
        """The result, soon after the test's timeout at the latest; what the test began has ended by then, also
        where this is cancelled. Raises `Failed` where the test can't be run at all.
        """
        ...


class Health(Protocol):
    """What SDKs have reported. Raises `Failed`, and `Unanswered` where it can't be known now."""

    async def slots(
        self, product: Product, environment: Environment, builds: Collection[Version], since: Slot, until: Slot
    ) -> Mapping[Slot, Mapping[Version, Mapping[Tenant, Counts]]]:
        """What was reported of these builds in each slot from `since` until before `until`, by build and tenant.

        A slot without reports is not in it.
        """
        ...

    async def history(
        self,
        product: Product,
        environment: Environment,
        but: Version,
        since: Slot,
        until: Slot,
        of: Collection[Version] | None = None,
    ) -> Mapping[Tenant, Counts]:
        """What each tenant has reported of all builds but this one, from `since` until before `until`, in all.

        `of` is of which others alone; None for any.

        Where only coarser counts are left, `since` is that of the whole minute or hour that it is in.
        """
        ...


class Prometheus(Protocol):
    """Whoever speaks Prometheus' HTTP API."""

    async def value(self, url: str, query: str, timeout_seconds: int) -> float:
        """The one value, finite or not, that a query comes to now.

        Raises `Unanswered` where that is not known in time, with what the server did, as in "answered 500"; and
        `Failed` where nothing can be asked at all.
        """
        ...


class CheckWebhook(Protocol):
    """Services that are asked for a verdict on a rollout."""

    async def verdict(self, url: str, check: str, about: About, timeout_seconds: int) -> tuple[Verdict, str]:
        """The verdict on the check of this name, and why as the service has it. Raises as `Prometheus.value`."""
        ...


class Receiver(Protocol):
    """Somebody who is told of what happens."""

    async def send(self, notice: Notice) -> str:
        """Tell them once; what they answered, in a few words. Raises `Undelivered`. May be cancelled."""
        ...


class Leadership(Protocol):
    """Which one of several controllers does what is to be done at its time."""

    async def holds(self) -> bool:
        """Whether this controller leads, from now on if nobody else does. Raises `Failed` where that isn't known.

        It may be lost at any moment: what two may never both do, a change's own conditions must prevent.
        """
        ...


class Clock(Protocol):
    """What time it is."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        ...
