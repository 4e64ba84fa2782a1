"""What `headrace controller` runs, all of it beside one another."""

import signal
from functools import partial
from pathlib import Path

import anyio
import structlog

from api.views.channel import view_channel
from bundles.core.errors import HeadraceError
from bundles.core.names import Product
from headrace import service_wiring, wiring
from headrace.channel_text import draw_channel
from headrace.check_task import ask_checks
from headrace.ends_task import warn_of_ends
from headrace.gate_task import watch_gates
from headrace.health_wiring import health_store
from headrace.notify_file import read_notify_file, subscriptions
from headrace.smoke_task import run_smoke_tests
from headrace.terminal import show
from headrace.tick_task import tick
from headrace.upkeep_task import keep_up
from release.advance import Advanced
from release.core.names import Channel
from release.gates import Gatekeeper
from release.notify import notify
from release.ports import Leadership
from release.rollouts import ChannelAt

_log = structlog.get_logger()


async def run(
    data: Path,
    database: str | None,
    health_database: str | None,
    notify_file: Path | None,
    interval: float,
    as_json: bool,
) -> signal.Signals:
    """Run until a signal asks to stop, which is returned."""
    receivers = () if notify_file is None else read_notify_file(notify_file)
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with (
            wiring.control(data, database) as control,
            wiring.leadership(data, database) as leadership,
            health_store(data, health_database) as reports,
            subscriptions(receivers, control.clock) as subscribed,
            anyio.create_task_group() as group,
        ):
            _log.info("controller running", data=str(data))
            told = _Told(leadership)
            group.start_soon(tick, control, told, interval, partial(_tell, as_json))
            group.start_soon(warn_of_ends, control, told, interval)
            group.start_soon(run_smoke_tests, control, told, service_wiring.smoke_runners(control), interval)
            group.start_soon(ask_checks, control, told, service_wiring.check_askers(control), interval)
            gatekeeper = Gatekeeper(control, reports.health)
            group.start_soon(watch_gates, gatekeeper, told, interval, partial(_tell_step, as_json, "aborted"))
            group.start_soon(notify, control.ledger, control.clock, told, subscribed, interval)
            group.start_soon(keep_up, control, told, reports.upkeep, interval)
            stopped_by = await anext(signals)
            group.cancel_scope.cancel()
    _log.info("controller stopped")
    return stopped_by


class _Told:
    """A leadership whose changes are logged."""

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership
        self._held: bool | None = None

    async def holds(self) -> bool:
        """As `Leadership.holds`."""
        try:
            held = await self._leadership.holds()
        except HeadraceError:
            self._held = None
            raise
        if held != self._held:
            _log.info("leading" if held else "standing by")
        self._held = held
        return held


def _tell(as_json: bool, advanced: Advanced) -> None:
    _tell_step(as_json, advanced.step, advanced.product, advanced.channel, advanced.at)


def _tell_step(as_json: bool, step: str, product: Product, channel: Channel, at: ChannelAt) -> None:
    _log.info(step, product=product, channel=channel, revision=at.revision)
    view = view_channel(product, channel, at)
    show(view, as_json, lambda console: draw_channel(console, view))
