"""A running admin API, and those who ask it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.core.role import Role
from tests.support.api import Asker, make_tokens
from tests.support.processes import ApiProcess, api


@pytest.fixture(scope="module")
def api_data(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of the module's own, with two published builds, the first one released to everyone."""
    folder = tmp_path_factory.mktemp("api")
    shutil.copytree(released_once, folder, dirs_exist_ok=True)
    return folder / "data"


@pytest.fixture(scope="module")
def tokens(api_data: Path) -> dict[Role, str]:
    """A token of each role; the customer's is of the tenant acme."""
    return make_tokens(api_data)


@pytest.fixture(scope="module")
def server(api_data: Path, tokens: dict[Role, str]) -> Iterator[ApiProcess]:
    """A running API, whose limits no test here comes near."""
    del tokens  # they are made by the command line, before
    with api(api_data, "--reads", "100000", "--changes", "100000", "--strangers", "100000") as process:
        yield process


@pytest.fixture(scope="module")
def askers(server: ApiProcess, tokens: dict[Role, str]) -> Iterator[dict[Role, Asker]]:
    """Who asks it, by role."""
    with httpx.Client() as http:
        yield {role: Asker(http, server.url, token) for role, token in tokens.items()}


@pytest.fixture(scope="module")
def admin(askers: dict[Role, Asker]) -> Asker:
    """Who may ask for everything."""
    return askers[Role.ADMIN]
