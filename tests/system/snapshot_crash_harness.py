"""Kills a change at each step of writing its snapshot, and looks at what is left. It forks, as its own process.

`python -m tests.system.snapshot_crash_harness killed|enospc FOLDER` prints as JSON how many steps there were,
and what was wrong after which of them. With `enospc` that step fails for want of room instead.
"""

import errno
import json
import shutil
import signal
import sys
from functools import partial
from pathlib import Path

from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Range
from headrace import wiring
from release.change import Author, Control, Subject
from release.core.audit import Change
from release.core.names import PRODUCTION, Tenant
from release.core.routing import Pin, PinKey
from release.ports import Transaction
from release.snapshot import read_table
from tests.support import changes
from tests.system.crash_harness import Step, Steps, fail_with, in_child, kill_self, watch_disk

SDK, SAM = Product("sdk"), Author("sam")
_DONE, _BORNE, _TOLD, _ESCAPED, _WRONG = 0, 11, 12, 13, 14


def key(tenant: str) -> PinKey:
    """A tenant's pin."""
    return PinKey(Tenant(tenant), PRODUCTION)


async def change(control: Control, number: int) -> None:
    """One change of several shards."""

    async def write(transaction: Transaction) -> None:
        for tenant in ("acme", "zeta", "beta"):
            await transaction.save_pin(
                SDK, PinKey(Tenant(tenant), PRODUCTION), Pin(Range(f"1.0.{number}"), "sam", "")
            )

    await changes.change(control, Subject("test", SDK, "pins"), SAM, write)


async def prepare(data: Path) -> int:
    """A data folder at its first revision."""
    async with wiring.control(data) as control:
        async with control.ledger.transaction() as transaction:
            for number in range(3):
                await transaction.save_pin(
                    SDK, PinKey(Tenant(f"t{number}"), PRODUCTION), Pin(Range("1.0.0"), "", "")
                )
            await transaction.record(Change(1, "sam", "test", SDK, "", ""))
        await control.sync()
    return _DONE


async def change_under(step: int, act: Step, data: Path) -> int:
    """A change, of which this step does not go well."""
    met = []

    def meet() -> None:
        met.append(step)
        act()

    async with wiring.control(data) as control:
        watch_disk(Steps(step, meet))
        try:
            await change(control, 1)
        except Failed as error:
            return _TOLD if "is committed, but origins can't see it yet" in str(error) else _ESCAPED
    return _BORNE if met else _DONE


async def look(data: Path) -> int:
    """See that the snapshot can be loaded, as it was before the change or after it; and that it is mended."""
    async with wiring.control(data) as control:
        seen = await read_table(control.snapshots, control.trusted)
        if seen is None or seen.revision not in (1, 2):
            return _WRONG
        is_new = any(pin.target == Range("1.0.1") for pin in seen.products[SDK].pins.values())
        if is_new != (seen.revision == 2):
            return _WRONG
        await control.sync()
        after = await read_table(control.snapshots, control.trusted)
        return _DONE if after == await control.ledger.table() else _WRONG


def main(kind: str, folder: Path) -> None:
    """Try every step, and print what was found."""
    acts: dict[str, Step] = {"killed": kill_self, "enospc": partial(fail_with, errno.ENOSPC)}
    expected = {"killed": {-signal.SIGKILL}, "enospc": {_TOLD, _BORNE}}[kind]
    base, data = folder / "base", folder / "data"
    assert in_child(partial(prepare, base)) == _DONE
    faults: dict[int, str] = {}
    step = 0
    while True:
        step += 1
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(base, data)
        code = in_child(partial(change_under, step, acts[kind], data))
        if code == _DONE:
            break
        if code not in expected:
            faults[step] = f"the change ended with {code}"
        elif (after := in_child(partial(look, data))) != _DONE:
            faults[step] = f"afterwards the snapshot was wrong ({after})"
    sys.stdout.write(json.dumps({"steps": step - 1, "faults": faults}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
