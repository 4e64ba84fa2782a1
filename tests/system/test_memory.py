"""An origin's memory is its cache's budget and a fixed rest, however much is asked for."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import httpx

from bundles.adapters.disk_store import DiskStore
from bundles.core.compress import Encoding
from bundles.core.digest import digest_of, integrity_of
from bundles.core.envelope import seal
from bundles.core.manifest import PAYLOAD_TYPE, Artifact, Manifest, Variant, encode_manifest
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version
from headrace import wiring
from tests.support.processes import origin

_MIB = 1024 * 1024
# 16 takes seconds. The budget that `serve` has by itself, 256, takes minutes: HEADRACE_TEST_CACHE_MIB=256.
_BUDGET_MIB = int(os.environ.get("HEADRACE_TEST_CACHE_MIB", "16"))
_REST_MIB = 120
_CLIENTS = 4
# Some that are kept as whole answers, some whose bodies are kept, and some that are streamed.
_SIZES = (5_000, 60_000, 300_000, 1_000_000) * 8 + (3_000_000,)
_SDK, _VERSION = Product("sdk"), Version("1.0.0")


def test_a_working_set_of_ten_times_the_budget_takes_no_more_memory(tmp_path: Path) -> None:
    paths = anyio.run(_store, tmp_path, 10 * _BUDGET_MIB * _MIB)
    with origin(tmp_path, "--cache-mib", str(_BUDGET_MIB)) as process:

        def ask_all(seed: int) -> None:
            with httpx.Client(base_url=f"{process.url}/{_SDK}@{_VERSION}/") as client:
                for path in random.Random(seed).sample(paths, len(paths)):
                    assert client.get(path).status_code == 200

        with ThreadPoolExecutor(_CLIENTS) as clients:
            list(clients.map(ask_all, range(_CLIENTS)))
        assert process.peak_kb() <= (_BUDGET_MIB + _REST_MIB) * 1024


async def _store(data: Path, size: int) -> list[str]:
    """A build of so many bytes, which do not compress: to try that would take longer than all else here."""
    key, _ = wiring.publishing_keys(data, None)
    seeded = random.Random(3)
    artifacts: list[Artifact] = []
    async with wiring.store(data) as store:
        assert isinstance(store, DiskStore)
        while size > 0:
            body = seeded.randbytes(_SIZES[len(artifacts) % len(_SIZES)])
            await store.put_blob(digest_of(body), body)
            variant = Variant(Encoding.IDENTITY, digest_of(body), len(body))
            path = ArtifactPath(f"{len(artifacts):05}.bin")
            artifacts.append(Artifact(path, "application/octet-stream", integrity_of(body), (variant,)))
            size -= len(body)
        manifest = Manifest(_SDK, _VERSION, tuple(artifacts))
        await store.create_manifest(_SDK, _VERSION, seal(PAYLOAD_TYPE, encode_manifest(manifest), key))
    return [artifact.path for artifact in artifacts]
