"""What all tests share."""

import os

import pytest
from hypothesis import settings

# A shared machine is slow at times: a test is judged by its answer, not by its time.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the product runs on."""
    return "asyncio"


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """On CI a skipped test is a failed run: what is not run is not known to work."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == pytest.ExitCode.OK and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
