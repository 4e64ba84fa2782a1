"""The browser's side of beacons in a real Chromium, against a real collector: a frame is a tenant's page."""

import gzip
import json
import re
from pathlib import Path

import anyio

from beacons.core.groups import ErrorGroup
from bundles.core.names import Product
from bundles.core.version import Version
from headrace.health_wiring import health_store
from release.adapters.loopback_site import SiteFile
from release.core.counts import Counts
from release.core.names import PRODUCTION
from tests.support.beacons import PATH, counted, wait_until_written
from tests.support.browser import run_in_browser
from tests.support.processes import collector

ROOT = Path(__file__).parents[2]
CLIENT = (ROOT / "beacons/client/beacon.js").read_text()
[SNIPPET] = re.findall(r"```js\n(.*?)```", (ROOT / "docs/beacons.md").read_text(), re.DOTALL)

BUILD = "/sdk@1.2.3"
FILES = {
    "sdk.js": "globalThis.sdk = {};\n",
    "broken.js": "function render() {\n  throw new TypeError(\"no cart of 'bob@shop.example'\");\n}\nrender();\n",
    "late.js": "globalThis.later = function later() { null.x; };\n",
}
WITH_CLIENT = "const beacon = headraceBeacon({url: URL_OF_BEACONS, build: 'sdk@1.2.3', tenant: TENANT});"
INSTALLATION = "AAECAwQFBgcICQoLDA0ODw"
TAMPERED = """
const script = document.createElement('script');
script.src = SITE + '/sdk@1.2.3/' + FILE;
script.crossOrigin = 'anonymous';
script.integrity = 'sha384-' + 'A'.repeat(64);
const beacon = {build: 'sdk@1.2.3', tenant: TENANT, installation: '%s', outcome: 'integrity-failed'};
loadSdk(script, URL_OF_BEACONS, beacon);
"""

# Of each tenant the page's script before the SDK's own, the SDK's file, and a script after it.
PAGES = {
    "left": (WITH_CLIENT, "sdk.js", ""),
    "waited": (
        f"const real = setTimeout; window.setTimeout = (f, ms) => real(f, ms / 100); {WITH_CLIENT}",
        "sdk.js",
        "",
    ),
    "thrown": (WITH_CLIENT, "broken.js", ""),
    "later": (WITH_CLIENT, "late.js", "setTimeout(later);"),
    "caught": (
        WITH_CLIENT,
        "sdk.js",
        "beacon.failed(new RangeError('Ž')); beacon.failed('again'); beacon.dropped();",
    ),
    "odd": (
        WITH_CLIENT,
        "sdk.js",
        "beacon.failed({name: 'a b', message: 'x'.repeat(9000), stack: 'Ž'.repeat(9000)});",
    ),
    "nothing": (WITH_CLIENT, "sdk.js", "beacon.failed();"),
    "dropped": (WITH_CLIENT, "sdk.js", "beacon.dropped(); beacon.failed(new Error('late'));"),
    "page": (WITH_CLIENT, "sdk.js", "throw new Error('of the page');"),
    "tampered": (TAMPERED % INSTALLATION, "sdk.js", ""),
    "missing": (TAMPERED % INSTALLATION, "gone.js", ""),
    "fetched": (f"navigator.sendBeacon = null; {WITH_CLIENT}", "sdk.js", "beacon.dropped();"),
}
SCRIPT = """
const [client, snippet, url, pages] = ARGUMENTS;
const script = text => '<script>' + text + '<' + '/script>';
const frames = Object.entries(pages).map(([tenant, [before, file, after]]) => {
  const frame = document.createElement('iframe');
  const names = {URL_OF_BEACONS: url, TENANT: tenant, SITE: location.origin, FILE: file};
  const named = Object.entries(names).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  const sdk = `<script src="${location.origin}/sdk@1.2.3/${file}"><` + '/script>';
  frame.srcdoc = '<!doctype html><head></head><body>' + script(client) + script(snippet)
    + script(named.join('') + before) + (before.includes('loadSdk') ? '' : sdk) + script(after);
  document.body.append(frame);
  return frame;
});
await Promise.all(frames.map(frame => new Promise(done => { frame.onload = done; })));
await new Promise(done => setTimeout(done, 1500));
for (const frame of frames) frame.src = (frame.removeAttribute('srcdoc'), 'about:blank');
await new Promise(done => setTimeout(done, 500));
const report = {};
"""


def test_each_page_reports_once_how_the_sdk_went(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    files = {f"{BUILD}/{name}": SiteFile(tmp_path / name, "text/javascript") for name in FILES}
    with collector(tmp_path / "data") as process:
        arguments = [CLIENT, SNIPPET, process.url + PATH, PAGES]
        escaped = json.dumps(arguments).replace("<", "\\u003c")
        assert run_in_browser(SCRIPT.replace("ARGUMENTS", escaped), files) == {}
        wait_until_written(process, len(PAGES) - 1)  # nothing is missing but what was not there to be loaded
        assert process.count('bodies_total{status="400"}') == 0
    errored, loaded = Counts(1, errored=1), Counts(1)
    assert counted(tmp_path / "data") == {
        **dict.fromkeys(["left", "waited", "page"], loaded),
        **dict.fromkeys(["thrown", "later", "caught", "odd", "nothing"], errored),
        **dict.fromkeys(["dropped", "fetched"], Counts(1, render_dropped=1)),
        "tampered": Counts(1, integrity_failed=1),
    }
    groups = {group.kind: group for group in errors_of(tmp_path / "data")}
    thrown = next(group for group in errors_of(tmp_path / "data") if group.message == "no cart of <text>")
    assert thrown.kind == "TypeError"
    assert [(frame.path, frame.line, frame.function) for frame in thrown.frames] == [
        ("broken.js", 2, "render"),
        ("broken.js", 4, ""),
    ]
    assert groups["RangeError"].message == "<text>"


def errors_of(data: Path) -> list[ErrorGroup]:
    async def read() -> list[ErrorGroup]:
        async with health_store(data, None) as opened:
            return list(await opened.errors.groups(Product("sdk"), Version("1.2.3"), PRODUCTION))

    return anyio.run(read)


def test_the_client_is_small() -> None:
    code = re.sub(r"/\*.*?\*/|^\s*//[^\n]*$|^\s+", "", CLIENT, flags=re.DOTALL | re.MULTILINE)
    assert len(gzip.compress(code.encode(), 9)) < 1_000
    assert not re.search(r"=>|\b(let|const|class|async)\b|`", code)
