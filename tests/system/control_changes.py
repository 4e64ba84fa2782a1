"""Changes of the control plane, one of each kind, for the crash harness to break off."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bundles.adapters.directory import directory
from bundles.core.names import Product
from bundles.core.retention import Policy as RetentionPolicy
from bundles.core.version import Range, Version
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.publish import publish
from bundles.resign import resign
from headrace import service_wiring, wiring
from release.adapters.backup_file import BackupFile
from release.advance import advance
from release.backup import back_up, restore
from release.blocks import set_block
from release.change import Author, Control
from release.core import audit
from release.core.audit import CONTROLLER
from release.core.commands import Abort, Command, Pause, Promote, Rollback, Schedule, Start
from release.core.names import PRODUCTION, STABLE, Channel, Tenant
from release.core.plan import parse_plan
from release.core.policy import Policy, RolloutRule
from release.core.routing import Pin, PinKey
from release.core.smoke import parse_smoke_tests
from release.pins import clear_pin, set_pin
from release.policies import apply_policy
from release.retire import Wanted, retire
from release.rollouts import command_channel
from release.smoke import due_runs, run_smoke_test
from release.snapshot import resign_snapshot
from release.tenants import set_attributes
from tests.release.test_migrations import write_database
from tests.support.cli import write_build

NOW = 2_000_000_000
EARLIER, LONG_AGO = NOW - 7_200, NOW - 2 * 86_400
SDK, NEXT = Product("sdk"), Channel("next")
GONE, ONE, TWO, NEW = (Version(text) for text in ("1.0.0", "1.0.1", "1.1.0", "1.2.0"))
ACME = PinKey(Tenant("acme"), PRODUCTION)
KEYED = Author("sam", "because", key="the change")
_SECRET, _CHEAP = b"not a secret at all", 4
_RESTORED = audit.Change(at=1, actor="sam", verb="restore", product="*", subject="rights", reason="")


class FixedClock(msgspec.Struct, frozen=True):
    """A clock that stands still: what is done twice is the same to the byte."""

    at: int

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return self.at


class House(msgspec.Struct, frozen=True):
    """A data folder and its control database. What is done there is told by `acknowledge`."""

    data: Path
    database: str
    acknowledge: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def control(self, now: int = NOW) -> AsyncIterator[Control]:
        """The control plane, opened as every verb and the controller open it."""
        async with wiring.control(self.data, self.database) as control:
            yield msgspec.structs.replace(control, clock=FixedClock(now))
            self.acknowledge()


Work = Callable[[House], Awaitable[None]]


class Change(msgspec.Struct, frozen=True):
    """A change to break off. `act` may be done again at any time after, and then completes it, once.

    It `is_first` where it begins with nothing but the database, as it is `prepare`d. Where it `leaves_ledger` as
    that is, it brings other things up to it.
    """

    name: str
    prepare: Work
    act: Work
    is_first: bool = False
    leaves_ledger: bool = False


async def found(house: House) -> None:
    """What most changes begin with: three releases and a fourth build, a pin, attributes, keys used long ago."""
    async with house.control(LONG_AGO) as control:
        for version in (GONE, ONE, TWO, NEW):
            source = directory(write_build(house.data.parent / "sources" / version, {"sdk.js": f"// {version}"}))
            publisher = Publisher(control.builds, control.signing_key, control.trusted, Cores())
            await publish(publisher, Order(SDK, version), source, lambda _: None)
        for version in (GONE, ONE, TWO):
            await command_channel(control, SDK, STABLE, _start(version, "100"), Author("sam", key=version))
            await command_channel(control, SDK, STABLE, Promote(), Author("sam"))
        await set_attributes(control, {Tenant("zeta"): {"tier": "free"}}, "zeta", Author("sam"))
        await set_pin(control, SDK, PinKey(Tenant("zeta"), PRODUCTION), Pin(Range("^1"), "sam", ""), Author("sam"))
    await _open(house)


def _start(version: Version, stages: str, command: str | None = None) -> Start:
    smoke_tests = parse_smoke_tests([], [command] if command else [], [], 60)
    return Start(candidate=version, plan=parse_plan(stages, [], None, smoke_tests), salt="salt")


def _commands(*commands: Command, channel: Channel = STABLE, author: Author | None = None) -> Work:
    """Each of them, on one channel."""

    async def work(house: House) -> None:
        async with house.control(EARLIER if author is None else NOW) as control:
            for command in commands:
                await command_channel(control, SDK, channel, command, author or Author("sam"))

    return work


def _all(*works: Work) -> Work:
    async def work(house: House) -> None:
        for each in works:
            await each(house)

    return work


async def _nothing(_: House) -> None:
    pass


def _set_pin(author: Author) -> Work:
    async def work(house: House) -> None:
        async with house.control() as control:
            await set_pin(control, SDK, ACME, Pin(Range(ONE), "sam", "tested"), author)

    return work


async def _clear_pin(house: House) -> None:
    async with house.control() as control:
        await clear_pin(control, SDK, ACME, KEYED)


async def _set_block(house: House) -> None:
    async with house.control() as control:
        await set_block(control, SDK, TWO, KEYED)


async def _retire(house: House) -> None:
    async with house.control() as control, wiring.store(house.data) as store:
        await retire(control, store, Wanted("sdk", RetentionPolicy(keep=1)), Author("sam"))


async def _apply_policy(house: House) -> None:
    async with house.control() as control:
        await apply_policy(control, Policy(rollout=(RolloutRule(stages="staging,100"),)), KEYED)


async def _set_attributes(house: House) -> None:
    known = {Tenant(name): {"tier": "free", "region": "eu"} for name in ("acme", "beta", "zeta")}
    async with house.control() as control:
        await set_attributes(control, known, "three", KEYED)


async def _advance(house: House) -> None:
    async with house.control() as control:
        await advance(control)


async def _run_smoke_test(house: House) -> None:
    """At once or, where who was killed has claimed it, an hour later: the claim has ended."""
    for now in (NOW, NOW + 3_600):
        async with house.control(now) as control:
            for run in await due_runs(control):
                await run_smoke_test(control, service_wiring.smoke_runners(control), run, CONTROLLER)
            await control.sync()  # as the controller's ticks do beside


async def _prepare_restore(house: House) -> None:
    """A database that is older than the backup, with a snapshot as old: another machine's."""
    older, newer = (BackupFile(house.data / name, _SECRET, _CHEAP) for name in ("older", "newer"))
    async with house.control(EARLIER) as control:
        sealed = await control.snapshots.read()
        await back_up(control.ledger, older)
        await command_channel(control, SDK, NEXT, _start(NEW, "100"), KEYED)
        await command_channel(control, SDK, STABLE, Rollback(), Author("sam"))
        await back_up(control.ledger, newer)
        await restore(control.ledger, older, (), _RESTORED, overwrite=True, accept_faults=False)
        await _put_root(control, sealed)


async def _restore(house: House) -> None:
    async with wiring.ledger(house.data, house.database) as ledger:
        newer = BackupFile(house.data / "newer", _SECRET, _CHEAP)
        await restore(ledger, newer, (), _RESTORED, overwrite=True, accept_faults=False)
    await _open(house)


async def _rotate(house: House) -> None:
    keys = wiring.keys(house.data)
    keys.rotate()
    async with wiring.store(house.data) as store:
        await resign(store, keys.signing_key(), keys.trusted_keys())
    async with wiring.snapshot_store(house.data, house.database) as snapshots:
        await resign_snapshot(snapshots, keys.signing_key(), keys.trusted_keys())
    house.acknowledge()


async def _open(house: House) -> None:
    """What the controller does at its start."""
    async with house.control() as control:
        await control.sync(thorough=True)


async def _fall_behind(house: House) -> None:
    """What a controller leaves that was killed between a commit and its snapshot."""
    async with house.control(EARLIER) as control:
        sealed = await control.snapshots.read()
        await _set_pin(Author("sam"))(house)
        await _set_attributes(house)
        await _put_root(control, sealed)


async def _put_root(control: Control, sealed: bytes | None) -> None:
    """Origins serve by an earlier snapshot again, of which every shard is still there."""
    assert sealed is not None
    async with control.snapshots.exclusive():
        await control.snapshots.replace(sealed, {}, ())


async def _old_schema(house: House) -> None:
    await write_database(house.database, "0001")


CHANGES = (
    Change("start", _nothing, _commands(_start(NEW, "staging,100"), author=KEYED)),
    Change("promote", _commands(_start(NEW, "100")), _commands(Promote(), author=KEYED)),
    Change("pause", _commands(_start(NEW, "staging,100")), _commands(Pause(), author=KEYED)),
    Change("abort", _commands(_start(NEW, "staging,100")), _commands(Abort(), author=KEYED)),
    Change("rollback", _commands(_start(NEW, "100")), _commands(Rollback(ONE), author=KEYED)),
    Change("pin set", _nothing, _set_pin(KEYED)),
    Change("pin clear", _set_pin(Author("sam")), _clear_pin),
    Change("block set", _nothing, _set_block),
    Change("retire", _nothing, _retire),
    Change("policy apply", _nothing, _apply_policy),
    Change("attributes", _nothing, _set_attributes),
    Change("smoke test", _commands(_start(NEW, "staging,100", "true")), _run_smoke_test),
    Change(
        "advance",
        _all(
            _commands(_start(NEW, "staging@1h,100")),
            _commands(Schedule(_start(NEW, "100"), EARLIER + 60), channel=NEXT),
        ),
        _advance,
    ),
    Change("restore", _prepare_restore, _restore),
    Change("rotate", _nothing, _rotate, leaves_ledger=True),
    Change("catch up", _fall_behind, _open, leaves_ledger=True),
    Change("migrate", _old_schema, _open, is_first=True, leaves_ledger=True),
    Change("first start", _nothing, _open, is_first=True, leaves_ledger=True),
)
