"""A real Chromium for tests: the page that it opens does the work and reports what it saw."""

from collections.abc import Mapping
from typing import Any

import anyio

from release.adapters.chromium import Chromium, find_chromium
from release.adapters.loopback_site import REPORT, Site, SiteFile

PATIENCE_SECONDS = 120


def run_in_browser(script: str, files: Mapping[str, SiteFile] | None = None) -> Any:
    """What `report` is at the end of the script: the body of an async function in a page on this machine.

    The files are at these paths of the page's site.
    """
    task = f"(async () => {{ {script} return report; }})().catch(fault => ({{fault: String(fault)}}))"
    post = f"await fetch('{REPORT}', {{method: 'POST', body: JSON.stringify(report)}});"
    page = f"<!doctype html><script type=module>const report = await {task}; {post}</script>"
    # Without its sandbox, which needs rights that a container has not: it opens pages of the test alone.
    chromium = Chromium(find_chromium().program, sandbox=False)
    return anyio.run(chromium.open, Site(lambda _: page, files or {}), PATIENCE_SECONDS)
