"""Tenants that publish with keys of their own: through the command line, and at a real origin."""

import base64
import json
import shutil
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.adapters.key_files import load_private_key
from bundles.core.envelope import seal
from bundles.core.manifest import PAYLOAD_TYPE as MANIFEST
from release.core.routing import RoutingTable
from tests.support.cli import fail, publish, release, run, succeed, write_build
from tests.support.processes import Origin, origin
from tests.support.snapshots import in_shards, put_snapshot, seal_root

PATIENCE_SECONDS = 20


@pytest.fixture(scope="module")
def made_once(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the vendor's `data` and two tenants' keys, which are trusted there; @acme has a menu."""
    folder = tmp_path_factory.mktemp("tenants")
    shutil.copytree(released_once, folder, dirs_exist_ok=True)
    data = folder / "data"
    for tenant in ("acme", "beta"):
        key = key_of(data, tenant)
        made = succeed(data, "keys", "create", str(key))
        assert made["public"] == f"{key}.pub"
        listed = succeed(data, "keys", "trust", made["public"], "--scope", f"@{tenant}")
        assert {"key_id": made["key_id"], "signs": False, "scope": f"@{tenant}"} in listed
    assert succeed(data, *put(data, "acme", "@acme/menu"))["created"]
    return folder


@pytest.fixture
def data(made_once: Path, tmp_path: Path) -> Path:
    """A vendor's data folder of the test's own."""
    shutil.copytree(made_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "data"


def key_of(data: Path, tenant: str) -> Path:
    return data.parent / f"{tenant}.pem"


def menu(data: Path) -> Path:
    return write_build(
        data.parent / "menu", {"menu.json": '{"dish": "soup"}' * 20, "menu.css": "p { color: red }"}
    )


def put(data: Path, tenant: str, product: str, version: str = "1.0.0") -> list[str]:
    """The arguments of a tenant's publish."""
    key = str(key_of(data, tenant))
    return ["publish", str(menu(data)), "--product", product, "--version", version, "--key", key]


def stored(data: Path) -> set[Path]:
    return {path for path in (data / "store").rglob("*") if path.is_file()}


def sealed_by(data: Path, tenant: str, payload: dict[str, Any]) -> bytes:
    return seal(MANIFEST, json.dumps(payload).encode(), load_private_key(key_of(data, tenant)))


def payload_of(data: Path) -> dict[str, Any]:
    """What @acme's menu has in its manifest."""
    sealed = json.loads((data / "store" / "builds" / "@acme" / "menu" / "1.0.0.json").read_bytes())
    return dict(json.loads(base64.b64decode(sealed["payload"])))


def status(process: Origin, path: str) -> int:
    return httpx.get(f"{process.url}/{path}").status_code


def test_a_tenant_publishes_with_its_own_key_and_is_served(data: Path) -> None:
    with origin(data) as process:
        assert not succeed(data, *put(data, "acme", "@acme/menu"))["created"]
        release(data, "1.0.0", product="@acme/menu")
        response = httpx.get(f"{process.url}/t/acme/@acme/menu.json")
        assert response.json()["version"] == "1.0.0"
        assert status(process, response.json()["product"] + "@1.0.0/menu.css") == 200
    (verified,) = succeed(data, "verify", "@acme/menu")
    assert verified["fault"] is None


@pytest.mark.parametrize("product", ["@beta/menu", "sdk", "@acmee/menu", "acme"])
def test_a_tenants_key_is_refused_for_what_is_not_its_own_and_nothing_is_stored(data: Path, product: str) -> None:
    before = stored(data)
    line = fail(data, *put(data, "acme", product, "9.0.0"), code=3)
    assert f"may not sign {product}: it is trusted for products of @acme alone" in line
    assert stored(data) == before


def test_a_key_that_the_vendor_does_not_trust_is_refused(data: Path) -> None:
    key = data.parent / "stranger.pem"
    succeed(data, "keys", "create", str(key))
    line = fail(data, *put(data, "acme", "@acme/menu"), "--key", str(key), code=3)
    assert "may not sign @acme/menu: it is not trusted here; `headrace keys trust`" in line


def test_a_pipeline_needs_its_key_and_the_store_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tmp_path / "pipeline"
    pipeline.mkdir()
    (pipeline / "store").symlink_to(data / "store")
    monkeypatch.setenv("HEADRACE_SIGNING_KEY", str(key_of(data, "acme")))
    publish(pipeline, tmp_path, "1.0.0", product="@acme/news")
    assert [path.name for path in pipeline.iterdir()] == ["store"]
    (verified,) = succeed(data, "verify", "@acme/news")
    assert verified["fault"] is None


def test_a_private_key_that_others_can_read_is_refused(data: Path) -> None:
    key_of(data, "acme").chmod(0o644)
    assert "can be read by others (mode 0644): `chmod 600` it" in fail(
        data, *put(data, "acme", "@acme/menu"), code=3
    )


def test_a_key_of_a_tenant_does_not_sign_the_routing_table(data: Path) -> None:
    key_of(data, "acme").replace(data / "keys" / "signing.pem")
    before = (data / "snapshots" / "routing.json").read_bytes()
    line = fail(data, "rollback", "sdk", "--to", "1.0.0", code=3)
    assert "may not sign the routing table: it is trusted for products of @acme alone" in line
    assert (data / "snapshots" / "routing.json").read_bytes() == before
    assert [key["scope"] for key in succeed(data, "keys", "list") if key["signs"]] == ["@acme"]


def test_bad_scopes_are_told(data: Path) -> None:
    public = f"{key_of(data, 'acme')}.pub"
    for scope in ("acme", "@", "@Acme", "@acme/menu", "@../trusted", ""):
        assert "is not a scope" in fail(data, "keys", "trust", public, "--scope", scope, code=2)


def test_an_origin_serves_no_build_that_another_tenants_key_signed(data: Path) -> None:
    """@beta has write access to the store, and puts builds there by hand under names that are not its own."""
    builds = data / "store" / "builds"
    mine = payload_of(data)
    for product in ("@acme/menu", "sdk", "@beta/menu"):
        forged = {**mine, "product": product, "version": "6.6.6"}
        path = builds / product / "6.6.6.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed_by(data, "beta", forged))
    with origin(data) as process:
        assert status(process, "@acme/menu@1.0.0/menu.json") == 200
        assert status(process, "@beta/menu@6.6.6/menu.json") == 200
        for product in ("@acme/menu", "sdk"):
            assert status(process, f"{product}@6.6.6/menu.json") == 503
    for product in ("@acme/menu", "sdk"):
        found = json.loads(run(data, "verify", product, "6.6.6", "--json").stdout)
        assert "not signed by a trusted key" in found[0]["fault"]
        refused = run(data, "rollout", "start", product, "6.6.6")
        assert refused.returncode == 1
        assert "not signed by a trusted key" in refused.stderr


def test_an_origin_adopts_no_routing_table_that_a_tenants_key_signed(data: Path) -> None:
    with origin(data) as process:
        before = httpx.get(f"{process.url}/t/acme/sdk.json").json()
        root, bodies = in_shards(RoutingTable(1_000))
        put_snapshot(data / "snapshots", seal_root(root, load_private_key(key_of(data, "beta"))), bodies)
        assert "not signed by a trusted key" in process.wait_for("snapshot refused")["why"]
        assert httpx.get(f"{process.url}/t/acme/sdk.json").json() == before


def test_a_running_origin_learns_a_tenants_key_that_comes_and_goes(data: Path) -> None:
    payload = payload_of(data)
    key = key_of(data, "zeta")
    made = succeed(data, "keys", "create", str(key))
    for version in ("1.0.0", "2.0.0"):
        path = data / "store" / "builds" / "@zeta" / "menu" / f"{version}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sealed_by(data, "zeta", {**payload, "product": "@zeta/menu", "version": version}))
    with origin(data) as process:
        assert status(process, "@zeta/menu@1.0.0/menu.json") == 503
        succeed(data, "keys", "trust", made["public"], "--scope", "@zeta")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while status(process, "@zeta/menu@1.0.0/menu.json") != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        line = fail(data, "keys", "distrust", made["key_id"], code=3)
        assert "2 documents are signed by that key alone, the first is @zeta/menu@1.0.0" in line
        succeed(data, "keys", "distrust", made["key_id"], "--force")
        assert status(process, "@zeta/menu@2.0.0/menu.json") == 503


def test_a_tenants_key_is_not_widened_by_a_scope_left_out(tmp_path: Path) -> None:
    data, key = tmp_path / "data", tmp_path / "acme.pem"
    succeed(data, "keys", "create", str(key))
    public = f"{key}.pub"
    succeed(data, "keys", "trust", public, "--scope", "@acme")
    assert "distrust" in fail(data, "keys", "trust", public, code=3)
