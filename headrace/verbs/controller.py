"""`headrace controller`."""

import signal
from pathlib import Path
from typing import Annotated

import anyio
import structlog
import typer

from bundles.core.errors import HeadraceError
from headrace import wiring
from headrace.logs import configure_logs
from headrace.options import DEFAULT_DATA, Data, example
from release.advance import advance
from release.change import Control

EPILOG = example("headrace controller --data .headrace")

_log = structlog.get_logger()


def controller(
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, max=3600, help="Seconds between two looks.")
    ] = 1.0,
    data: Data = DEFAULT_DATA,
) -> None:
    """Run the release controller: it promotes rollouts whose bake time has passed, and mends the snapshot."""
    configure_logs()
    anyio.run(_run, data, interval)
    _log.info("controller stopped")


async def _run(data: Path, interval: float) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with wiring.control(data) as control, anyio.create_task_group() as group:
            _log.info("controller running", data=str(data))
            group.start_soon(_tick, control, interval)
            async for _ in signals:
                group.cancel_scope.cancel()


async def _tick(control: Control, interval: float) -> None:
    """A tick that fails is logged, and the next one tries again: the control plane may be away for a while."""
    while True:
        try:
            # A change that has begun is finished, however soon the controller is asked to stop.
            with anyio.CancelScope(shield=True):
                for advanced in await advance(control):
                    _log.info("promoted", product=advanced.product, channel=advanced.channel)
        except HeadraceError as error:
            _log.error("tick failed", why=str(error))
        await anyio.sleep(interval)
