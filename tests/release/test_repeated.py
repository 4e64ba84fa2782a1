"""Requests that are sent again with their idempotency key, on each database."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest

from bundles.adapters.directory import directory
from bundles.core.errors import Conflict, Refused
from bundles.core.version import Range
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.publish import publish
from headrace import service_wiring, wiring
from release.blocks import clear_block, list_blocks, set_block
from release.change import KEY_SECONDS, Author, Control
from release.core.commands import Promote, Rollback
from release.core.moves import Move
from release.core.names import PRODUCTION, STABLE
from release.core.plan import parse_plan
from release.core.policy import Policy
from release.core.routing import Pin
from release.core.smoke import SmokeOutcome, parse_smoke_tests
from release.pins import clear_pin, list_pins, set_pin
from release.policies import apply_policy
from release.rollouts import command_channel, read_channel
from release.smoke import list_outcomes, run_smoke_test, runs_of
from release.snapshot import read_table
from release.tenants import clear_attributes, set_attributes
from tests.release.test_change import ACME, ONE, SAM, SDK, TWO, start
from tests.support.cli import write_build

pytestmark = pytest.mark.anyio

KEYED = Author("sam", "because", key="key-1")


class Tomorrow:
    """A clock at which every key of today is forgotten."""

    def __init__(self, control: Control) -> None:
        self._now = control.clock.now() + KEY_SECONDS + 1

    def now(self) -> int:
        return self._now


@pytest.fixture
async def control(database: str, tmp_path: Path) -> AsyncIterator[Control]:
    """A control plane with two published builds, the first one released."""
    async with wiring.control(tmp_path / "data", database) as opened, wiring.store(tmp_path / "data") as store:
        publisher = Publisher(store, opened.signing_key, opened.trusted, Cores())
        for version in (ONE, TWO):
            source = directory(write_build(tmp_path / version, {"sdk.js": f"// {version}"}))
            await publish(publisher, Order(SDK, version), source, lambda _: None)
        await command_channel(opened, SDK, STABLE, start(ONE, "100"), SAM)
        await command_channel(opened, SDK, STABLE, Promote(), SAM)
        yield opened


async def test_a_command_that_is_sent_again_gives_what_it_gave_and_changes_nothing(control: Control) -> None:
    first = await command_channel(control, SDK, STABLE, start(TWO), KEYED)
    await command_channel(control, SDK, STABLE, Rollback(), SAM)
    redrawn = msgspec.structs.replace(start(TWO), salt="another")
    again = await command_channel(control, SDK, STABLE, redrawn, KEYED)
    assert (again.revision, again.state) == (first.revision, first.state) == (3, first.state)
    assert (await read_channel(control, SDK, STABLE)).revision == 4


async def test_every_verb_takes_a_key(control: Control) -> None:
    pin = Pin(Range("^1.0"), "sam", "tested")
    cleared = []
    for _ in range(2):
        await set_pin(control, SDK, ACME, pin, msgspec.structs.replace(KEYED, key="set"))
        await set_block(control, SDK, TWO, msgspec.structs.replace(KEYED, key="block"))
    assert list(await list_pins(control, SDK)) == ["acme~production"]
    for _ in range(2):
        cleared.append(await clear_pin(control, SDK, ACME, msgspec.structs.replace(KEYED, key="clear")))
        await clear_block(control, SDK, TWO, msgspec.structs.replace(KEYED, key="unblock"))
    assert cleared == [pin, pin]
    assert not await list_blocks(control, SDK)
    for _ in range(2):
        await apply_policy(control, Policy(), msgspec.structs.replace(KEYED, key="policy"))
        tenants = {ACME.tenant: {"tier": "free"}}
        await set_attributes(control, tenants, "acme", msgspec.structs.replace(KEYED, key="tenant"))
    for _ in range(2):
        await clear_attributes(control, ACME.tenant, msgspec.structs.replace(KEYED, key="forget"))
    assert (await control.ledger.table()).revision == 9


async def test_a_block_that_is_repeated_says_so_and_whom_it_keeps_from_the_build(control: Control) -> None:
    await set_pin(control, SDK, ACME, Pin(Range("1.1.0"), "sam", ""), SAM)
    first = await set_block(control, SDK, TWO, KEYED)
    again = await set_block(control, SDK, TWO, KEYED)
    assert first.moves == again.moves == [Move(ACME.tenant, PRODUCTION, TWO, ONE)]
    assert (first.repeated, again.repeated, again.in_force) == (False, True, True)
    await clear_block(control, SDK, TWO, SAM)
    after = await set_block(control, SDK, TWO, KEYED)
    assert (after.moves, after.repeated, after.in_force) == ([], True, False)


async def test_to_hold_a_tenant_where_it_is_is_the_same_request_wherever_it_is_by_now(control: Control) -> None:
    held = await set_pin(control, SDK, ACME, Pin(None, "sam", ""), KEYED, hold=True)
    assert held.target == Range("1.0.0")
    await clear_pin(control, SDK, ACME, SAM)
    for command in (start(TWO, "100"), Promote()):
        await command_channel(control, SDK, STABLE, command, SAM)
    assert await set_pin(control, SDK, ACME, Pin(None, "sam", ""), KEYED, hold=True) == held
    assert await list_pins(control, SDK) == {}
    with pytest.raises(Conflict, match="another request"):
        await set_pin(control, SDK, ACME, Pin(None, "sam", ""), KEYED)


async def test_what_is_sent_again_is_served_also_where_who_made_it_was_killed_before_the_snapshot(
    control: Control,
) -> None:
    sealed = await control.snapshots.read()
    assert sealed is not None
    await command_channel(control, SDK, STABLE, start(TWO), KEYED)
    async with control.snapshots.exclusive():
        await control.snapshots.replace(sealed, {}, ())
    again = await command_channel(control, SDK, STABLE, start(TWO), KEYED)
    assert await read_table(control.snapshots, control.trusted) == await control.ledger.table()
    assert again.revision == 3


@pytest.mark.parametrize(
    "author",
    [
        Author("sam", "another reason", key="key-1"),
        Author("sam", "because", expected_revision=2, key="key-1"),
    ],
)
async def test_a_key_is_for_one_request(control: Control, author: Author) -> None:
    await command_channel(control, SDK, STABLE, start(TWO), KEYED)
    with pytest.raises(Conflict, match=r"'key-1' was used for another request, which made revision 3"):
        await command_channel(control, SDK, STABLE, start(TWO), author)
    with pytest.raises(Conflict, match="another request"):
        await command_channel(control, SDK, STABLE, start(TWO, "staging,50,100"), KEYED)
    with pytest.raises(Conflict, match="another request"):
        await set_block(control, SDK, TWO, KEYED)
    assert (await control.ledger.table()).revision == 3


async def test_a_key_is_its_actors_alone(control: Control) -> None:
    await command_channel(control, SDK, STABLE, start(TWO), KEYED)
    done = await command_channel(control, SDK, STABLE, Promote(), Author("kim", key="key-1"))
    assert done.revision == 4


async def test_what_was_refused_has_used_no_key(control: Control) -> None:
    with pytest.raises(Refused):
        await command_channel(control, SDK, STABLE, Promote(), KEYED)
    await command_channel(control, SDK, STABLE, start(TWO), SAM)
    assert (await command_channel(control, SDK, STABLE, Promote(), KEYED)).revision == 4


async def test_a_key_is_forgotten_after_a_day(control: Control) -> None:
    await set_block(control, SDK, TWO, KEYED)
    tomorrow = msgspec.structs.replace(control, clock=Tomorrow(control))
    await clear_block(tomorrow, SDK, TWO, KEYED)
    assert (await control.ledger.table()).revision == 4


async def test_of_many_that_send_one_request_at_once_all_get_the_one_change(
    control: Control, database: str, tmp_path: Path
) -> None:
    revisions: list[int] = []

    async def send() -> None:
        async with wiring.control(tmp_path / "data", database) as own:
            revisions.append((await command_channel(own, SDK, STABLE, start(TWO), KEYED)).revision)

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(send)
    assert revisions == [3] * 8
    assert (await control.ledger.table()).revision == 3


async def test_a_smoke_test_is_run_once_for_a_key(control: Control, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    tests = parse_smoke_tests([], [f"sh -c 'echo ran | tee -a {ran}'", "false"], [], 60)
    tested = msgspec.structs.replace(start(TWO), plan=parse_plan("staging,100", [], None, tests))
    await command_channel(control, SDK, STABLE, tested, SAM)
    runners = service_wiring.smoke_runners(control)

    async def run_all(key: str | None) -> list[SmokeOutcome]:
        runs = await runs_of(control, SDK, STABLE)
        return [await run_smoke_test(control, runners, run, "sam", key) for run in runs]

    first = await run_all("key-1")
    assert await run_all("key-1") == first
    assert ran.read_text() == "ran\n"
    assert [outcome.passed for outcome in await run_all("key-2")] == [True, False]
    assert ran.read_text() == "ran\nran\n"
    assert len(await list_outcomes(control, SDK, STABLE, TWO)) == 4
