"""What the controller does at each interval: mend the snapshot, and take the steps that are due."""

from collections.abc import Callable

import anyio
import structlog

from bundles.core.errors import HeadraceError
from release.advance import Advanced, advance
from release.change import Control
from release.core.snapshot import Root
from release.near_limits import near_limits
from release.ports import Leadership

_log = structlog.get_logger()


async def tick(
    control: Control, leadership: Leadership, interval: float, tell: Callable[[Advanced], None]
) -> None:
    """A tick that fails is logged, and the next one tries again: the control plane may be away for a while.

    The first one that leads looks at every byte of the snapshot. `tell` is called for each step.
    """
    limits = _Limits(control)
    while True:
        try:
            # A change that has begun is finished, however soon the controller is asked to stop.
            with anyio.CancelScope(shield=True):
                if await leadership.holds():
                    await limits.look(await control.sync(thorough=not limits.seen))
                    for advanced in await advance(control, leadership):
                        tell(advanced)
        except (HeadraceError, BrokenPipeError) as error:
            _log.error("tick failed", why=str(error))
        await anyio.sleep(interval)


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
