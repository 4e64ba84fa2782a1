"""The edge's secrets as they are now: a running origin follows their file, and needs no restart."""

from collections.abc import Callable, Iterable

import structlog

from bundles.core.errors import Failed, Invalid
from origin.core.edge_secret import is_edge, parse_secrets
from origin.ports import Feed

_log = structlog.get_logger()


class EdgeSecrets:
    """Follows a file of secrets. One that is gone or wrong changes nothing and is logged: the door never opens."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._secrets: tuple[bytes, ...] = ()

    async def start(self) -> None:
        """Read the secrets for the first time. Raises `Failed` and `Invalid`."""
        text = await self._feed.read()
        if text is None:
            raise Failed("the edge's secrets can't be read: name a file that has one a line")
        self._secrets = parse_secrets(text)

    async def follow(self, adopted: Callable[[], None]) -> None:
        """Take each new set of secrets, until cancelled; `adopted` is called after each."""
        async for _ in self._feed.changes():
            if await self._refresh():
                adopted()

    def knows(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """True for a request that holds one of the secrets."""
        return is_edge(headers, self._secrets)

    async def _refresh(self) -> bool:
        """True where the secrets are others now."""
        try:
            secrets = parse_secrets(await self._feed.read() or b"")
        except (Failed, Invalid) as error:
            _log.error("edge secrets refused", why=str(error))
            return False
        if secrets == self._secrets:
            return False
        self._secrets = secrets
        _log.info("edge secrets adopted", count=len(secrets))
        return True
