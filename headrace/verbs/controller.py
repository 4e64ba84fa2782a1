"""`headrace controller`."""

import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import structlog
import typer

from bundles.core.errors import HeadraceError
from bundles.core.names import Product
from headrace import service_wiring, wiring
from headrace.channel_view import draw_channel, view_channel
from headrace.check_task import ask_checks
from headrace.gate_task import watch_gates
from headrace.health_wiring import health_store
from headrace.notify_file import read_notify_file, subscriptions
from headrace.options import DEFAULT_DATA, AsJson, Data, Database, HealthDatabase, NotifyFile, example
from headrace.terminal import Exit, show
from headrace.times import format_time
from headrace.upkeep_task import keep_up
from release.advance import Advanced, advance
from release.change import Control
from release.core.audit import CONTROLLER
from release.core.freeze import CalendarEnd
from release.core.names import Channel
from release.core.receivers import AnyReceiver
from release.core.routing import Pin
from release.core.snapshot import Root
from release.gates import Gatekeeper
from release.near_limits import near_limits
from release.notify import notify
from release.pins import pins_ending
from release.policies import calendars_to_renew
from release.ports import Leadership
from release.rollouts import ChannelAt
from release.smoke import SmokeRun, SmokeRunners, due_runs, run_smoke_test

app = typer.Typer(add_completion=False)

_WARN_INTERVAL_SECONDS = 3600.0

_log = structlog.get_logger()


@app.command(epilog=example("headrace controller --data .headrace"))
def controller(
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, max=3600, help="Seconds between two looks.")
    ] = 1.0,
    data: Data = DEFAULT_DATA,
    database: Database = None,
    health_database: HealthDatabase = None,
    notify_file: NotifyFile = None,
    as_json: AsJson = False,
) -> None:
    """Run the release controller: begins what is scheduled, runs smoke tests that have not run, promotes what has
    baked, takes back what the health gate or a check finds to do harm, mends the snapshot, removes what is
    older of beacons than the policy keeps it.

    Of several on one database one does so, and the others stand by. Each step is told on stdout, with --json as a
    JSON document, and to the receivers of --notify.
    """
    receivers = () if notify_file is None else read_notify_file(notify_file)
    stopped_by = anyio.run(_run, data, database, health_database, receivers, interval, as_json)
    _log.info("controller stopped")
    if stopped_by is signal.SIGINT:
        raise typer.Exit(Exit.INTERRUPTED)


async def _run(
    data: Path,
    database: str | None,
    health_database: str | None,
    receivers: Sequence[AnyReceiver],
    interval: float,
    as_json: bool,
) -> signal.Signals:
    """Run until a signal asks to stop, which is returned."""
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
            group.start_soon(_tick, control, told, interval, as_json)
            group.start_soon(_warn, control, told, interval)
            group.start_soon(_run_smoke_tests, control, told, service_wiring.smoke_runners(control), interval)
            group.start_soon(ask_checks, control, told, service_wiring.check_askers(control), interval)
            gatekeeper = Gatekeeper(control, reports.health)
            group.start_soon(watch_gates, gatekeeper, told, interval, partial(_tell_step, as_json, "aborted"))
            group.start_soon(notify, control.ledger, control.clock, told, subscribed, interval)
            group.start_soon(keep_up, control, told, reports.upkeep, interval)
            stopped_by = await anext(signals)
            group.cancel_scope.cancel()
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


async def _tick(control: Control, leadership: Leadership, interval: float, as_json: bool) -> None:
    """A tick that fails is logged, and the next one tries again: the control plane may be away for a while.

    The first one that leads looks at every byte of the snapshot.
    """
    limits = _Limits(control)
    while True:
        try:
            # A change that has begun is finished, however soon the controller is asked to stop.
            with anyio.CancelScope(shield=True):
                if await leadership.holds():
                    await limits.look(await control.sync(thorough=not limits.seen))
                    for advanced in await advance(control, leadership):
                        _tell(advanced, as_json)
        except (HeadraceError, BrokenPipeError) as error:
            _log.error("tick failed", why=str(error))
        await anyio.sleep(interval)


async def _warn(control: Control, leadership: Leadership, interval: float) -> None:
    """Each pin that ends soon is told of once, and each freeze whose calendar does."""
    told: set[tuple[Product, str, Pin]] = set()
    calendars_told: set[CalendarEnd] = set()
    while True:
        leads = False
        try:
            leads = await leadership.holds()
            if leads:
                ending, calendars = set(await pins_ending(control)), set(await calendars_to_renew(control))
                _tell_ends(ending - told, calendars - calendars_told)
                told, calendars_told = ending, calendars
        except HeadraceError as error:
            _log.error("can't look at pins and calendars", why=str(error))
        await anyio.sleep(_WARN_INTERVAL_SECONDS if leads else interval)


def _tell_ends(pins: set[tuple[Product, str, Pin]], calendars: set[CalendarEnd]) -> None:
    for product, key, pin in sorted(pins, key=lambda each: each[:2]):
        _log.warning("pin ends soon", product=product, pin=key, at=format_time(pin.expires_at or 0))
    for calendar in calendars:
        _log.warning("calendar ends soon", freeze=calendar.name, at=format_time(calendar.at), why=str(calendar))


async def _run_smoke_tests(
    control: Control, leadership: Leadership, runners: SmokeRunners, interval: float
) -> None:
    """Run each smoke test that has not run, a few at once; none of them keeps a tick waiting."""
    free = anyio.Semaphore(service_wiring.SMOKE_TESTS_AT_ONCE)

    async def run_one(run: SmokeRun) -> None:
        try:
            outcome = await run_smoke_test(control, runners, run, CONTROLLER)
            _log.info("smoke test", **_named(run), passed=outcome.passed, seconds=outcome.seconds)
        except HeadraceError as error:
            _log.warning("smoke test not kept", **_named(run), why=str(error))
        finally:
            free.release()

    async with anyio.create_task_group() as group:
        while True:
            try:
                with anyio.CancelScope(shield=True):
                    due = await due_runs(control) if await leadership.holds() else []
                for each in due:
                    await free.acquire()
                    group.start_soon(run_one, each)
            except HeadraceError as error:
                _log.error("smoke tests not looked for", why=str(error))
            await anyio.sleep(interval)


def _named(run: SmokeRun) -> dict[str, str]:
    candidate = run.rollout.candidate
    return {"product": run.product, "channel": run.channel, "candidate": candidate, "test": run.test.name}


class _Limits:
    """Logs each limit that is nearly reached, once for each level."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._told: dict[str, int] = {}
        self.seen: Root | None = None

    async def look(self, root: Root) -> None:
        """Look at a snapshot, unless it is the one looked at before."""
        if root == self.seen:
            return
        near = await near_limits(self._control, root)
        for use in near:
            if use.level > self._told.get(use.what, 0):
                _log.warning("limit near", what=use.what, used=use.used, most=use.most, percent=use.level)
        self._told = {use.what: use.level for use in near}
        self.seen = root


def _tell(advanced: Advanced, as_json: bool) -> None:
    _tell_step(as_json, advanced.step, advanced.product, advanced.channel, advanced.at)


def _tell_step(as_json: bool, step: str, product: Product, channel: Channel, at: ChannelAt) -> None:
    _log.info(step, product=product, channel=channel, revision=at.revision)
    view = view_channel(product, channel, at)
    show(view, as_json, lambda console: draw_channel(console, view))
