"""Smoke tests that are a page in headless Chromium: Headrace's own."""

import re
import tempfile
from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path

import msgspec

from bundles.core.errors import Failed
from bundles.core.manifest import Artifact, Manifest
from bundles.core.urls import exact_url
from bundles.ports import BuildReader
from release.adapters.build_folder import write_build
from release.adapters.chromium import Chromium
from release.adapters.loopback_site import REPORT, Site, SiteFile
from release.core.smoke import BrowserTest
from release.ports import Candidate, SmokeResult

SETTLE_MILLISECONDS = 500
"""How long after the page's load event the build still has to fail: promises and timers that it began."""

_MAX_FAULTS = 50
_MAX_FAULT_LENGTH = 1_000
_AGENT = re.compile(r"Chrome/(\d+)")


class _Report(msgspec.Struct, frozen=True):
    """What the page saw: what went wrong, and what kind of value the global is, if it is there."""

    faults: tuple[str, ...]
    kind: str | None
    agent: str


class BrowserSmoke:
    """Loads a script of the build as a customer's page does: of another site, by its exact URL and its SRI value.

    The page reaches the build's files and nothing else. `find` raises `Failed` where there is no browser.
    """

    def __init__(self, builds: BuildReader, find: Callable[[], Chromium]) -> None:
        self._builds = builds
        self._find = find

    async def run(self, test: BrowserTest, candidate: Candidate) -> SmokeResult:
        """Passed where nothing went wrong and the global is there."""
        chromium = self._find()
        manifest = candidate.manifest
        entry = test.entry_of(manifest)
        with tempfile.TemporaryDirectory(prefix="headrace-smoke-", ignore_cleanup_errors=True) as scratch:
            build = Path(scratch)
            await write_build(self._builds, manifest, build)
            site = Site(lambda port: _page(test, manifest, entry, port), _files(manifest, build))
            try:
                report = msgspec.convert(await chromium.open(site, test.timeout_seconds), _Report)
            except TimeoutError:
                return SmokeResult(
                    False, f"the page with {entry.path} did not come to rest within {test.timeout_seconds} seconds"
                )
            except msgspec.ValidationError as error:
                raise Failed(f"the page with {entry.path} did not report as it should: {error}") from None
        return _judge(test, entry, report, site.missing)


def _page(test: BrowserTest, manifest: Manifest, entry: Artifact, port: int) -> str:
    """The customer's page. The build's host has another name than the page's, and is another site by that."""
    host = f"http://localhost:{port}"
    allowed = f"'self' {host} data: blob: 'unsafe-inline' 'unsafe-eval'"
    settings = {
        "global": test.global_name,
        "report": REPORT,
        "settle": SETTLE_MILLISECONDS,
        "faults": _MAX_FAULTS,
        "length": _MAX_FAULT_LENGTH,
    }
    values = {
        "POLICY": escape(f"default-src {allowed}"),
        "SETTINGS": msgspec.json.encode(settings).decode().replace("<", "\\u003c"),
        "MODULE": 'type="module" ' if entry.path.endswith(".mjs") else "",
        "URL": escape(host + exact_url(manifest.product, manifest.version, entry.path)),
        "INTEGRITY": escape(entry.integrity),
    }
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: values[match[1]], _template())


@cache
def _template() -> str:
    return Path(__file__).with_name("smoke_page.html").read_text()


def _files(manifest: Manifest, build: Path) -> dict[str, SiteFile]:
    return {
        exact_url(manifest.product, manifest.version, each.path): SiteFile(build / each.path, each.content_type)
        for each in manifest.artifacts
    }


def _judge(test: BrowserTest, entry: Artifact, report: _Report, missing: list[str]) -> SmokeResult:
    faults = [*report.faults, *(f"{path} was asked for, and the build has no such file" for path in missing)]
    if report.kind is None:
        faults.append(f"there is no global {test.global_name} once {entry.path} has loaded")
    agent = _AGENT.search(report.agent)
    browser = f"Chromium {agent[1]}" if agent else "Chromium"
    if faults:
        return SmokeResult(False, f"in {browser}, {faults[0]}", "\n".join(faults))
    return SmokeResult(True, f"{browser} loads {entry.path}, and {test.global_name} is there ({report.kind})")
