"""What `headrace notify` does with the receivers of a file."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bundles.core.errors import Invalid
from headrace.notify_file import read_notify_file, subscriptions
from release.adapters.system_clock import SystemClock
from release.change import Control
from release.core.notices import Severity, trial_notice
from release.core.receivers import AnyReceiver
from release.notify import Told, read_told, send_once


class Trial(msgspec.Struct, frozen=True):
    """What came back for a trial."""

    receiver: str
    answer: str


class ReceiverView(msgspec.Struct, frozen=True):
    """A receiver: where it is, the least severity that it hears of, the revision that it was last told up to (null
    before the first), and how many notices were given up.
    """

    name: str
    where: str
    severity: Severity
    told: int | None
    given_up: int


def named_in(file: Path | None) -> tuple[AnyReceiver, ...]:
    """The receivers in the file. Raises `Invalid` where none is named, else as `read_notify_file`."""
    if file is None:
        raise Invalid("name the file of receivers: --notify FILE, or HEADRACE_NOTIFY")
    return read_notify_file(file)


async def send_trial(receivers: Sequence[AnyReceiver]) -> str:
    """Send one receiver a test event, and say what it answered."""
    clock = SystemClock()
    async with subscriptions(receivers, clock) as [subscription]:
        return await send_once(subscription, trial_notice(clock.now()))


async def view_receivers(receivers: Sequence[AnyReceiver], control: Control) -> list[ReceiverView]:
    """Each receiver of the file, with what was told to it."""
    told = await read_told(control.ledger)
    return [_view(each, told.get(each.name)) for each in receivers]


def _view(options: AnyReceiver, told: Told | None) -> ReceiverView:
    where = str(options)
    if told is None:
        return ReceiverView(options.name, where, options.severity, None, 0)
    return ReceiverView(options.name, where, options.severity, told.revision, told.given_up)
