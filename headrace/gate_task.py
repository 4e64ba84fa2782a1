"""What the controller does for health gates: look, tell of each new verdict, and of candidates taken back."""

from collections.abc import Callable

import anyio
import structlog

from bundles.core.errors import HeadraceError
from bundles.core.names import Product
from release.core.gate import Verdict
from release.core.names import Channel
from release.gates import Gatekeeper, Looked
from release.ports import Leadership
from release.rollouts import ChannelAt

_log = structlog.get_logger()


Tell = Callable[[Product, Channel, ChannelAt], None]


async def watch_gates(gatekeeper: Gatekeeper, leadership: Leadership, interval: float, tell: Tell) -> None:
    """Look at each interval, for ever; a look that fails is logged, and the next one tries again.

    `tell` is called for each candidate that was taken back, with its channel as it is then.
    """
    told: dict[tuple[Product, Channel], Verdict] = {}
    while True:
        try:
            with anyio.CancelScope(shield=True):
                leads = await leadership.holds()
            for looked in await gatekeeper.look() if leads else []:
                if told.get((looked.product, looked.channel)) != looked.judgement.verdict:
                    _log_verdict(looked)
                told[looked.product, looked.channel] = looked.judgement.verdict
                if looked.aborted is not None:
                    tell(looked.product, looked.channel, looked.aborted)
        except (HeadraceError, BrokenPipeError) as error:
            _log.error("gates not looked at", why=str(error))
        await anyio.sleep(interval)


def _log_verdict(looked: Looked) -> None:
    judgement = looked.judgement
    _log.info(
        "gate",
        product=looked.product,
        channel=looked.channel,
        candidate=looked.candidate,
        verdict=judgement.verdict,
        why=judgement.reason,
    )
