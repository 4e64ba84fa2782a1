"""The store and the control plane go away, and snapshots go wrong: what is known goes on being served."""

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.adapters.files import write_atomically
from bundles.core.envelope import seal
from headrace import wiring
from release.core.routing import RoutingTable
from release.core.snapshot import MAX_SEALED_BYTES, PAYLOAD_TYPE, encode_root
from tests.contract.conftest import AWS, free_port, http_server, new_bucket, s3_server
from tests.support.cli import publish, release
from tests.support.load import Load, ask
from tests.support.processes import origin
from tests.support.snapshots import in_shards

__all__ = ["s3_server"]

pytestmark = pytest.mark.anyio


class Surroundings:
    """A store in S3 that can be switched off, and a database that can be taken away."""

    def __init__(self, s3_server: str, data: Path) -> None:
        self._s3_server = s3_server
        self._port = free_port()
        self._process = ExitStack()
        self.data = data
        self.place = f"s3://{new_bucket(s3_server).bucket}?endpoint=http://127.0.0.1:{self._port}&region=us-east-1"

    def appear(self) -> None:
        """Be there again."""
        proxy = http_server(self._port, "tests.contract.faulty_proxy", self._s3_server, self._port)
        self._process.enter_context(proxy)
        for file in self.data.parent.glob("control.db*"):
            file.rename(self.data / file.name)

    def vanish(self) -> None:
        """Be gone."""
        self._process.close()
        for file in self.data.glob("control.db*"):
            file.rename(self.data.parent / file.name)


@pytest.fixture
def surroundings(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    """Two builds in S3, the first one released."""
    made = Surroundings(s3_server, tmp_path / "data")
    for name, value in {**AWS, "HEADRACE_STORE": made.place}.items():
        monkeypatch.setenv(name, value)
    made.appear()
    publish(made.data, tmp_path, "1.0.0")
    publish(made.data, tmp_path, "1.1.0")
    release(made.data, "1.0.0")
    yield made
    made.vanish()


async def test_in_a_blackout_no_request_for_what_is_known_fails_and_recovery_needs_no_restart(
    surroundings: Surroundings,
) -> None:
    data = surroundings.data
    known = ("/sdk@1.0.0/sdk.js", "/sdk@1.0.0/lib/extra.mjs", "/sdk@stable/sdk.js", "/t/acme/sdk.json")
    with origin(data) as process:
        load = Load([process.url + path for path in known])
        async with load.running(clients=4):
            await load.more(100)
            surroundings.vanish()
            await load.more(100)
            async with httpx.AsyncClient(timeout=60) as client:
                unknown = await client.get(f"{process.url}/sdk@1.1.0/sdk.js")
            assert (unknown.status_code, unknown.headers["retry-after"]) == (503, "1")
            await load.more(100)
        assert load.failures == []
        assert process.count('headrace_origin_store_failures_total{kind="manifest"}') == 1
    with origin(data) as process:
        load = Load([process.url + path for path in known])
        async with load.running(clients=4):
            await load.more(100)
        assert load.failures == []
        assert (await ask(f"{process.probes}/readyz")).status == 200
        surroundings.appear()
        assert (await ask(f"{process.url}/sdk@1.1.0/sdk.js")).status == 200


def mutants(good: bytes, key: Ed25519PrivateKey) -> Iterator[bytes]:
    """Snapshots that must not be taken, made of one that would be."""
    envelope = json.loads(good)
    payload = base64.b64decode(envelope["payload"])
    newest = encode_root(in_shards(RoutingTable(99))[0])
    for at in range(0, len(good), len(good) // 100):
        yield good[:at] + b"!" + good[at + 1 :]
    for at in range(0, len(good), len(good) // 60):
        yield good[:at]
    for at in range(0, len(payload), len(payload) // 40):
        changed = payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]
        yield json.dumps({**envelope, "payload": base64.b64encode(changed).decode()}).encode()
    yield seal(PAYLOAD_TYPE, encode_root(in_shards(RoutingTable(0))[0]), key)
    yield seal(PAYLOAD_TYPE, newest, Ed25519PrivateKey.generate())
    yield seal("application/vnd.headrace.manifest.v1+json", newest, key)
    yield seal(PAYLOAD_TYPE, newest[:-1], key)
    yield seal(PAYLOAD_TYPE, newest.replace(b'"revision":99', b'"revision":-1'), key)
    yield json.dumps({**envelope, "signatures": []}).encode()
    yield json.dumps(
        {**json.loads(seal(PAYLOAD_TYPE, newest, key)), "signatures": envelope["signatures"]}
    ).encode()


def test_of_two_hundred_bad_snapshots_none_is_taken_and_each_is_told(released_data: Path) -> None:
    file = wiring.snapshot_file(released_data)
    in_force = file.read_bytes()
    release(released_data, "1.1.0")
    bad = list(mutants(file.read_bytes(), wiring.keys(released_data).signing_key()))
    assert len(bad) >= 200
    write_atomically(file, in_force)
    with origin(released_data) as process:
        revision = process.count("headrace_origin_snapshot_revision")
        for mutant in bad:
            write_atomically(file, mutant)
            assert process.wait_for("snapshot refused")["revision_in_force"] == revision
        with file.open("r+b") as opened:
            opened.truncate(MAX_SEALED_BYTES + 1)
        assert "the most that is read" in process.wait_for("snapshot refused")["why"]
        assert process.count("headrace_origin_snapshots_refused_total") >= len(bad) + 1
        assert process.count("headrace_origin_snapshot_revision") == revision
        assert httpx.get(f"{process.url}/t/acme/sdk.json").json()["version"] == "1.0.0"
    with origin(released_data) as process:
        assert httpx.get(f"{process.url}/t/acme/sdk.json").json()["version"] == "1.0.0"
