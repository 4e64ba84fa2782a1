"""After a rotation everything is signed anew, so that the old key can be distrusted while origins serve."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.cli import HEADRACE, environment, fail, publish, run, succeed, write_build
from tests.support.processes import origin

MANY = 300


@pytest.fixture
def data(released_data: Path) -> Path:
    """Two published builds of an SDK, the first one released."""
    return released_data


def signing(data: Path) -> str:
    (key,) = (key["key_id"] for key in succeed(data, "keys", "list") if key["signs"])
    return str(key)


def manifests(data: Path) -> dict[str, dict[str, Any]]:
    """Each build's envelope, by its path."""
    builds = data / "store" / "builds"
    return {str(path.relative_to(builds)): json.loads(path.read_bytes()) for path in builds.rglob("*.json")}


def tenant_publishes(data: Path, folder: Path, key: Path) -> str:
    """A tenant's build, signed by its own key. The key's id."""
    made = succeed(data, "keys", "create", str(key))
    succeed(data, "keys", "trust", made["public"], "--scope", "@acme")
    source = write_build(folder / key.stem, {"menu.json": "{}"})
    arguments = ["--product", "@acme/menu", "--version", "1.0.0", "--key", str(key)]
    succeed(data, "publish", str(source), *arguments)
    return str(made["key_id"])


def test_the_old_key_is_distrusted_after_all_is_signed_anew_and_nothing_else_changed(
    data: Path, tmp_path: Path
) -> None:
    publish(data, tmp_path, "1.0.0", product="@acme/news")
    old, before = signing(data), manifests(data)
    succeed(data, "keys", "rotate")
    assert "`headrace keys resign` adds" in fail(data, "keys", "distrust", old, code=3)
    with origin(data) as process:
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        assert succeed(data, "keys", "resign") == {"signed": 3, "unchanged": 0, "left": 0, "snapshot": True}
        after = manifests(data)
        assert {name: envelope["payload"] for name, envelope in after.items()} == {
            name: envelope["payload"] for name, envelope in before.items()
        }
        for envelope in after.values():
            assert [signature["keyid"] for signature in envelope["signatures"]] == [old, signing(data)]
        assert succeed(data, "keys", "resign") == {"signed": 0, "unchanged": 3, "left": 0, "snapshot": False}
        assert manifests(data) == after
        succeed(data, "keys", "distrust", old)
        for path in ("sdk@1.0.0/sdk.js", "@acme/news@1.0.0/sdk.js"):
            assert httpx.get(f"{process.url}/{path}").status_code == 200
    for product in ("sdk", "@acme/news"):
        assert all(build["fault"] is None for build in succeed(data, "verify", product))
    (data / "snapshots" / "routing.json").unlink()
    with origin(data) as process:  # from its own copies: of the snapshot as signed anew, of the manifest as it was
        assert httpx.get(f"{process.url}/sdk@1.0.0/sdk.js").status_code == 200
        assert httpx.get(f"{process.url}/t/acme/sdk.json").json()["version"] == "1.0.0"


def test_the_vendor_does_not_vouch_for_what_only_a_tenant_signed(data: Path, tmp_path: Path) -> None:
    tenants = tenant_publishes(data, tmp_path, tmp_path / "acme.pem")
    succeed(data, "keys", "rotate")
    assert succeed(data, "keys", "resign") == {"signed": 2, "unchanged": 0, "left": 1, "snapshot": True}
    (signature,) = manifests(data)["@acme/menu/1.0.0.json"]["signatures"]
    assert signature["keyid"] == tenants


def test_a_tenant_rotates_its_own_key(data: Path, tmp_path: Path) -> None:
    old = tenant_publishes(data, tmp_path, tmp_path / "acme.pem")
    publish(data, tmp_path, "1.0.0", product="@acme/news")
    key = tmp_path / "new.pem"
    made = succeed(data, "keys", "create", str(key))
    succeed(data, "keys", "trust", made["public"], "--scope", "@acme")
    resigned = succeed(data, "keys", "resign", "--key", str(key))
    assert resigned == {"signed": 1, "unchanged": 0, "left": 3, "snapshot": False}
    succeed(data, "keys", "distrust", old)
    (verified,) = succeed(data, "verify", "@acme/menu")
    assert verified["fault"] is None
    assert [len(envelope["signatures"]) for envelope in manifests(data).values()].count(2) == 1


@pytest.mark.parametrize("scopes", [["@acme"], ["@acme", "@beta"]])
def test_the_advice_on_how_to_distrust_a_tenants_key_works_as_it_is_printed(
    data: Path, tmp_path: Path, scopes: list[str]
) -> None:
    old = tenant_publishes(data, tmp_path, tmp_path / "acme.pem")
    for scope in scopes:
        succeed(data, "keys", "trust", str(tmp_path / "acme.pem.pub"), "--scope", scope)
    line = fail(data, "keys", "distrust", old, code=3)
    commands = re.findall("`headrace ([^`]+)`", line)
    assert len(commands) == len(scopes) + 2
    for command in commands:
        succeed(data, *command.replace("FILE", str(tmp_path / "new.pem")).split())
    succeed(data, "keys", "distrust", old)
    assert succeed(data, "verify", "@acme/menu")[0]["fault"] is None


def test_the_key_that_signs_now_is_not_distrusted_and_no_advice_is_given_that_does_not_help(data: Path) -> None:
    line = fail(data, "keys", "distrust", signing(data), code=3)
    assert "is the key that signs now: rotate first" in line
    assert "resign" not in line


def test_what_nobody_trusted_has_signed_is_not_signed_anew(data: Path) -> None:
    path = data / "store" / "builds" / "sdk" / "1.1.0.json"
    envelope = json.loads(path.read_bytes())
    forged = base64.b64decode(envelope["payload"]).replace(b"sdk.js", b"sdk.jz")
    path.write_text(json.dumps({**envelope, "payload": base64.b64encode(forged).decode()}))
    (data / "store" / "builds" / "sdk" / "2.0.0.json").write_text("damaged")
    succeed(data, "keys", "rotate")
    before = path.read_bytes()
    assert succeed(data, "keys", "resign") == {"signed": 1, "unchanged": 0, "left": 2, "snapshot": True}
    assert path.read_bytes() == before


def test_a_run_that_is_killed_leaves_every_build_readable_and_is_finished_by_the_next(
    data: Path, tmp_path: Path
) -> None:
    write_build(tmp_path / "menu", {"menu.json": "{}"})
    listing = tmp_path / "list.jsonl"
    line = '{"product": "@t%d/menu", "version": "1.0.0", "files": "menu"}\n'
    listing.write_text("".join(line % number for number in range(MANY)))
    assert run(data, "publish-batch", str(listing)).returncode == 0
    succeed(data, "keys", "rotate")
    new = signing(data)
    with subprocess.Popen([HEADRACE, "keys", "resign"], env=environment(data), stdout=subprocess.PIPE) as process:
        while not any(new in path.read_text() for path in (data / "store" / "builds").rglob("*.json")):
            assert process.poll() is None
        process.kill()
    assert {len(envelope["signatures"]) for envelope in manifests(data).values()} <= {1, 2}
    resigned = succeed(data, "keys", "resign")
    assert resigned["signed"] + resigned["unchanged"] == MANY + 2
    assert resigned["unchanged"] >= 1
    assert {len(envelope["signatures"]) for envelope in manifests(data).values()} == {2}
