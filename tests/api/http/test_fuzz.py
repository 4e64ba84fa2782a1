"""schemathesis, with every check that it has, finds no fault of the contract and nothing that breaks the server.

`make nightly` asks for more: HEADRACE_FUZZ_CASES in all, others each time.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from api.core.role import Role
from api.routes import all_routes
from tests.support.api import Asker, grant_of, make_session
from tests.support.processes import ApiProcess, api

ROOT = Path(__file__).parents[3]
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
PATIENCE_SECONDS = 600
UNLIMITED = ("--reads", "1000000", "--changes", "1000000", "--strangers", "1000000")
CASES = int(os.environ.get("HEADRACE_FUZZ_CASES", "0"))
"""So many in all, in rounds of each role; 0 for one short round of each, which is the same each time."""
LONG_ROUND = ("--max-examples=30",)
SHORT_ROUND = ("--max-examples=1", "--seed=1")


@pytest.mark.parametrize("role", Role)
def test_no_request_breaks_the_api_or_its_contract(released_once: Path, tmp_path: Path, role: Role) -> None:
    """In a short round each role asks for what it may: what else it is answered, the matrix proves."""
    made = 0
    for number in range(CASES or 1):
        folder = tmp_path / str(number)
        shutil.copytree(released_once, folder)
        # No operation ends it, as one may revoke a token.
        secret = make_session(folder / "data", grant_of(role))
        with api(folder / "data", *UNLIMITED) as server, httpx.Client() as http:
            made += fuzz(server, secret, folder, *(LONG_ROUND if CASES else _short_round(role)))
            assert Asker(http, server.url, secret).get("/me")["roles"] == [role]
        if made * len(Role) >= CASES:
            break
    assert made > 10


def _short_round(role: Role) -> list[str]:
    """An admin's has all that there is of each operation, a customer's too; what the others may, an admin may."""
    named = [f"--include-operation-id={route.name}" for route in all_routes() if role in route.roles]
    if role in (Role.ADMIN, Role.CUSTOMER):
        return [*SHORT_ROUND, *(named if role is Role.CUSTOMER else ())]
    return [*SHORT_ROUND, *named, "--phases=examples,fuzzing,stateful"]


def fuzz(server: ApiProcess, secret: str, folder: Path, *options: str) -> int:
    """One round, in which there may be no fault; how many requests it had."""
    found = subprocess.run(
        [
            SCHEMATHESIS,
            f"--config-file={ROOT / 'tests/api/schemathesis.toml'}",
            "run",
            f"{server.url}/api/v1/openapi.json",
            f"--header=Authorization: Bearer {secret}",
            "--checks=all",
            "--continue-on-failure",
            *options,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-20_000:] + found.stderr[-2_000:]
    counted = re.search(r"(\d+) generated", found.stdout)
    assert counted is not None, found.stdout[-2_000:]
    return int(counted[1])
