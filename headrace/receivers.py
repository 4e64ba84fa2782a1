"""What `headrace notify` does with the receivers of a file."""

from collections.abc import Sequence
from pathlib import Path

from bundles.core.errors import Invalid
from headrace.notify_file import read_notify_file, subscriptions
from release.adapters.system_clock import SystemClock
from release.core.notices import trial_notice
from release.core.receivers import AnyReceiver
from release.notify import Told, read_told, send_once

__all__ = ["Told", "named_in", "read_told", "send_trial"]


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
