"""Single flight: one fetch for all who wait, whoever of them leaves."""

import asyncio

import pytest

from bundles.flight import SingleFlight

pytestmark = pytest.mark.anyio


async def test_the_first_who_asked_may_leave_and_the_others_get_what_it_asked_for() -> None:
    gate = asyncio.Event()

    async def fetch(result: str) -> str:
        await gate.wait()
        return result

    flight: SingleFlight[str, str] = SingleFlight()
    waiting = [asyncio.create_task(flight.join("key", fetch(str(number)))) for number in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*waiting[1:]) == ["0", "0"]
    assert waiting[0].cancelled()
