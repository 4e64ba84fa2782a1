"""Headless Chromium, without a driver: the page that it opens does the work and reports what it saw."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import anyio
import msgspec

from bundles.core.errors import Failed
from release.adapters.loopback_site import Site, serve
from release.adapters.processes import Running, running

PROGRAM_VARIABLE = "HEADRACE_CHROMIUM"
SANDBOX_VARIABLE = "HEADRACE_CHROMIUM_SANDBOX"

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-breakpad",
    # No network beyond this machine: no names, no proxy that works, no datagrams round it; no errands of its own.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--proxy-server=http://127.0.0.1:9",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# As most users have it: what another site's server gives is kept, which headless mode would not do.
_PREFERENCES = {"profile": {"cookie_controls_mode": 0, "block_third_party_cookies": False}}


class Chromium(msgspec.Struct, frozen=True):
    """A browser that is installed here. Its sandbox needs rights that root and most containers have not."""

    program: str
    sandbox: bool

    async def open(self, site: Site, timeout_seconds: float) -> Any:
        """What the site's page reports, in a browser with a profile of its own.

        Raises `TimeoutError` where there is no report in time, and `Failed` where the browser ends before that.
        """
        with (
            tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder,
            serve(site) as port,
        ):
            await anyio.to_thread.run_sync(_write_preferences, Path(folder))
            argv = [self.program, *_FLAGS, f"--user-data-dir={folder}", f"http://127.0.0.1:{port}/"]
            if not self.sandbox:
                argv.insert(1, "--no-sandbox")
            async with running(argv, Path(folder), {}) as process, anyio.create_task_group() as group:
                group.start_soon(_tell_end, process, site)
                with anyio.move_on_after(timeout_seconds) as time:
                    report = await anyio.to_thread.run_sync(site.reports.get, abandon_on_cancel=True)
                group.cancel_scope.cancel()
        if time.cancelled_caught:
            raise TimeoutError
        if report is None:
            raise Failed(
                f"{self.program} ended by itself ({_reason(process.output.text())}). Where its sandbox can't work,"
                f" {SANDBOX_VARIABLE}=off runs it without"
            )
        return report


def find_chromium() -> Chromium:
    """The browser that is named in the environment, or found. Raises `Failed` where there is none."""
    named = os.environ.get(PROGRAM_VARIABLE)
    program = named or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if program is None:
        raise Failed(
            f"there is no Chromium here: install it (on Debian, `apt-get install chromium`), or name it in"
            f" {PROGRAM_VARIABLE}"
        )
    # As root, Chromium starts without its sandbox or not at all.
    return Chromium(program, sandbox=os.geteuid() != 0 and os.environ.get(SANDBOX_VARIABLE) != "off")


async def _tell_end(process: Running, site: Site) -> None:
    await process.wait()
    site.reports.put(None)


def _write_preferences(folder: Path) -> None:
    try:
        profile = folder / "Default"
        profile.mkdir(parents=True)
        (profile / "Preferences").write_text(json.dumps(_PREFERENCES))
    except OSError as error:
        raise Failed(f"can't write {error.filename}: {error.strerror}") from None


def _reason(output: str) -> str:
    """What Chromium calls fatal, else its last words."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it said nothing"]
    return next((line for line in lines if "FATAL" in line), lines[-1])
