"""Telling receivers what happens: nothing is left out, and who is dead keeps nobody else waiting."""

import contextlib
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import anyio
import pytest

from headrace import wiring
from headrace.notify_file import subscriptions
from release.blocks import clear_block, set_block
from release.change import Author, Control
from release.core.audit import Change
from release.core.receivers import WebhookOptions
from release.notify import MAX_PENDING, SAVED_EVERY, TOLD, Patience, Told, notify
from tests.support.service import Service, hang, say, serving
from tests.support.smoke import ONE, SDK

pytestmark = pytest.mark.anyio

SAM = Author("sam")
SOON = 0.02
HASTY = Patience(attempt=0.3, first=SOON, longest=0.05, asked=0.1, lasting=0.2, whole=0.4)
PATIENCE_SECONDS = 30


def webhook(name: str, url: str) -> WebhookOptions:
    return WebhookOptions(name=name, url=url, secret="s" * 16)


@asynccontextmanager
async def telling(
    control: Control, data: Path, *receivers: WebhookOptions, patience: Patience = HASTY
) -> AsyncIterator[None]:
    """A controller's notifications, once each receiver is known."""
    async with (
        wiring.leadership(data, None) as leadership,
        subscriptions(receivers, control.clock) as subscribed,
        anyio.create_task_group() as group,
    ):
        group.start_soon(notify, control.ledger, control.clock, leadership, subscribed, SOON, patience)
        for each in receivers:
            await until(lambda name=each.name: is_known(control, name))  # type: ignore[misc]
        yield
        group.cancel_scope.cancel()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(PATIENCE_SECONDS):
        while not await holds():
            await anyio.sleep(SOON)


async def told_of(control: Control, name: str) -> Told | None:
    async with control.ledger.transaction() as transaction:
        return await transaction.document(TOLD, name)


async def is_known(control: Control, name: str) -> bool:
    return await told_of(control, name) is not None


async def wait_for(control: Control, name: str, told: Told) -> None:
    async def is_told() -> bool:
        return await told_of(control, name) == told

    await until(is_told)


def revisions(service: Service) -> list[int]:
    return [json.loads(body)["revision"] for _, _, body in service.asked]


async def changes(control: Control, count: int) -> None:
    """So many changes that somebody must be told of."""
    for place in range(count):
        await (clear_block if place % 2 else set_block)(control, SDK, ONE, SAM)


async def record(control: Control, verb: str, count: int) -> None:
    """So many changes as they are in the trail, without what else a change does: that takes its time."""
    async with control.ledger.transaction() as transaction:
        for _ in range(count):
            await transaction.record(Change(control.clock.now(), "sam", verb, SDK, ONE, ""))


async def test_a_new_receiver_begins_with_what_happens_from_now_on(control: Control, data: Path) -> None:
    await changes(control, 2)
    service = Service(say(200, b""))
    with serving(service) as url:
        async with telling(control, data, webhook("hook", url)):
            await changes(control, 3)
            await wait_for(control, "hook", Told(5))
        assert revisions(service) == [3, 4, 5]
        # What happens while nobody leads is told by who leads next.
        await changes(control, 2)
        async with telling(control, data, webhook("hook", url)):
            await wait_for(control, "hook", Told(7))
    assert revisions(service) == [3, 4, 5, 6, 7]


async def test_who_never_answers_keeps_nobody_else_waiting(control: Control, data: Path) -> None:
    silent, alive = Service(say(200, b"")), Service(say(200, b""))
    silent.answer = hang
    with serving(silent) as dead, serving(alive) as url:
        receivers = webhook("dead", dead), webhook("hook", url)
        async with telling(control, data, *receivers, patience=Patience(attempt=2 * PATIENCE_SECONDS)):
            await changes(control, 2)
            await wait_for(control, "hook", Told(2))
            assert await told_of(control, "dead") == Told(0)
    assert revisions(alive) == [1, 2]
    assert set(revisions(silent)) <= {1}


async def test_the_dead_are_given_up_in_the_end_notice_by_notice(control: Control, data: Path) -> None:
    silent = Service(say(200, b""))
    silent.answer = hang
    with serving(Service(say(200, b""))) as gone:
        pass
    with serving(silent) as dead:
        async with telling(control, data, webhook("dead", dead), webhook("gone", gone)):
            await changes(control, 2)
            await wait_for(control, "dead", Told(2, given_up=2))
            await wait_for(control, "gone", Told(2, given_up=2))
    assert set(revisions(silent)) == {1, 2}


def answering(service: Service, statuses: Sequence[tuple[int, dict[str, str]]]) -> None:
    """These answers, one after the other, and the last one from then on."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        status, fields = statuses[min(len(service.asked), len(statuses)) - 1]
        say(status, b"", **fields)(handler)

    service.answer = answer


async def test_what_may_pass_is_tried_again_until_it_is_taken(control: Control, data: Path) -> None:
    service = Service(say(200, b""))
    answering(service, [(503, {}), (429, {}), (404, {}), (200, {})])
    with serving(service) as url:
        async with telling(control, data, webhook("hook", url), patience=Patience(first=SOON, longest=SOON)):
            await changes(control, 1)
            await wait_for(control, "hook", Told(1))
    assert revisions(service) == [1, 1, 1, 1]
    assert len({headers["headrace-event-id"] for _, headers, _ in service.asked}) == 1


async def test_a_receiver_that_asks_to_wait_is_let_wait(control: Control, data: Path) -> None:
    service, times = Service(say(200, b"")), []
    answering(service, [(503, {"retry-after": "1"}), (200, {})])
    answer = service.answer

    def timed(handler: BaseHTTPRequestHandler) -> None:
        times.append(time.monotonic())
        answer(handler)

    service.answer = timed
    with serving(service) as url:
        async with telling(control, data, webhook("hook", url), patience=Patience(first=SOON, asked=SOON)):
            await changes(control, 1)
            await wait_for(control, "hook", Told(1))
    first, second = times
    assert second - first >= 1


async def test_a_refusal_is_given_up_sooner_than_what_may_pass(control: Control, data: Path) -> None:
    patience = Patience(first=SOON, longest=SOON, lasting=0.1)
    refusing, failing = Service(say(410, b"")), Service(say(500, b""))
    with serving(refusing) as gone, serving(failing) as broken:
        async with telling(control, data, webhook("gone", gone), webhook("broken", broken), patience=patience):
            await changes(control, 1)
            await wait_for(control, "gone", Told(1, given_up=1))
            assert await told_of(control, "broken") == Told(0)


async def test_after_a_long_outage_the_number_is_told_and_no_storm(control: Control, data: Path) -> None:
    service = Service(say(200, b""))
    with serving(service) as url:
        async with telling(control, data, webhook("hook", url)):
            pass
        await record(control, "block-clear", MAX_PENDING)
        async with telling(control, data, webhook("hook", url)):
            await wait_for(control, "hook", Told(MAX_PENDING))
        assert revisions(service) == list(range(1, MAX_PENDING + 1))
        service.asked.clear()
        await record(control, "block-set", 1)
        await record(control, "block-clear", MAX_PENDING)
        async with telling(control, data, webhook("hook", url)):
            await wait_for(control, "hook", Told(2 * MAX_PENDING + 1))
            await record(control, "block-clear", 1)
            await wait_for(control, "hook", Told(2 * MAX_PENDING + 2))
    summary, one = (json.loads(body) for _, _, body in service.asked)
    assert (summary["kind"], summary["severity"]) == ("changes-untold", "warning")
    assert summary["summary"] == "101 changes up to revision 201 were not told: see `headrace history`"
    assert one["kind"] == "build-unblocked"


async def test_of_many_changes_that_nobody_is_told_of_few_are_seen_again(control: Control, data: Path) -> None:
    with serving(Service(say(200, b""))) as url:
        async with telling(control, data, webhook("hook", url)):
            await record(control, "pin-set", SAVED_EVERY)
            await wait_for(control, "hook", Told(SAVED_EVERY))


class Switch:
    """A leadership that is held or not, as the test says."""

    def __init__(self) -> None:
        self.held = True

    async def holds(self) -> bool:
        return self.held


async def test_who_does_not_lead_any_more_leaves_the_rest_to_who_does(control: Control) -> None:
    service, first, second = Service(say(503, b"")), Switch(), Switch()
    second.held = False
    with serving(service) as url:
        async with (
            subscriptions([webhook("hook", url)], control.clock) as subscribed,
            anyio.create_task_group() as group,
        ):
            patience = Patience(first=SOON, longest=SOON)
            for leadership in (first, second):
                group.start_soon(notify, control.ledger, control.clock, leadership, subscribed, SOON, patience)
            await until(lambda: is_known(control, "hook"))
            await changes(control, 1)
            with anyio.fail_after(PATIENCE_SECONDS):
                while not service.asked:
                    await anyio.sleep(SOON)
                first.held = False
                await anyio.sleep(10 * SOON)  # for an attempt that is under way
                asked = len(service.asked)
                await anyio.sleep(20 * SOON)
            assert len(service.asked) == asked
            service.answer = say(200, b"")
            second.held = True
            await wait_for(control, "hook", Told(1))
            group.cancel_scope.cancel()
    assert len(service.asked) == asked + 1


async def test_a_damaged_row_is_passed_over(control: Control, data: Path) -> None:
    service = Service(say(200, b""))
    with serving(service) as url:
        async with telling(control, data, webhook("hook", url)):
            pass
        await changes(control, 2)
        with contextlib.closing(sqlite3.connect(data / "control.db", isolation_level=None)) as connection:
            connection.execute("UPDATE audit_entries SET entry = '{' WHERE revision = 1")
        async with telling(control, data, webhook("hook", url)):
            await wait_for(control, "hook", Told(2))
    assert revisions(service) == [2]
