"""The builds that the origin knows, verified and made ready once, in bounded memory."""

from cachetools import LRUCache, TTLCache

from bundles.core.names import Product
from bundles.core.trust import TrustedKeys
from bundles.core.version import Version
from bundles.flight import SingleFlight
from bundles.load import open_manifest
from origin.core.prepared import PreparedBuild, prepare
from origin.ports import Builds

_Key = tuple[Product, Version]

MAX_ARTIFACTS_KNOWN = 200_000
MAX_ABSENT_KNOWN = 10_000
ABSENT_SECONDS = 1.0


class Library:
    """Ready builds, the least recently asked for forgotten first; absent ones are remembered for a second."""

    def __init__(self, store: Builds, trusted: TrustedKeys, *, send_deltas: bool) -> None:
        self._store = store
        self._trusted = trusted
        self._send_deltas = send_deltas
        self._ready: LRUCache[_Key, PreparedBuild] = LRUCache(
            MAX_ARTIFACTS_KNOWN, getsizeof=lambda build: len(build.artifacts)
        )
        self._absent: TTLCache[_Key, bool] = TTLCache(MAX_ABSENT_KNOWN, ABSENT_SECONDS)
        self._loads: SingleFlight[_Key, PreparedBuild | None] = SingleFlight()

    async def build(self, product: Product, version: Version) -> PreparedBuild | None:
        """The build, or None when it was never published. Raises `Failed` for one that does not verify."""
        key = product, version
        ready = self._ready.get(key)
        if ready is not None:
            return ready
        if key in self._absent:
            return None
        return await self._loads.join(key, self._load(key))

    async def _load(self, key: _Key) -> PreparedBuild | None:
        sealed = await self._store.read_manifest(*key)
        if sealed is None:
            self._absent[key] = True
            return None
        manifest = open_manifest(sealed, self._trusted, *key)
        build = self._ready[key] = prepare(manifest, send_deltas=self._send_deltas)
        return build
