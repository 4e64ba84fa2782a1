"""What all tests share."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.cli import publish, release
from tests.support.postgresql import PostgresServer, postgres_server

# A shared machine is slow at times: a test is judged by its answer, not by its time.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")
# A shell has what it runs in the background ignore Ctrl-C, and what that runs does so too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the product runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data` and the directories that its builds were made from; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("released")
    publish(folder / "data", folder, "1.0.0")
    publish(folder / "data", folder, "1.1.0")
    release(folder / "data", "1.0.0")
    return folder


@pytest.fixture
def released_data(released_once: Path, tmp_path: Path) -> Path:
    """A data folder of the test's own: two published builds, the first one released to everyone."""
    shutil.copytree(released_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "data"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests; each makes databases of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres_server(port) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of control database, empty, as it is named to Headrace."""
    if request.param == "sqlite":
        return str(tmp_path / "control.db")
    server: PostgresServer = request.getfixturevalue("postgresql")
    return server.new_database()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """On CI a skipped test is a failed run: what is not run is not known to work."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == pytest.ExitCode.OK and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
