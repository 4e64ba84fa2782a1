"""Dictionary transport in a real Chromium: a customer's page, an SDK of another site, two builds of it."""

import json
from pathlib import Path

from tests.support.browser import run_in_browser
from tests.support.cli import release, succeed
from tests.support.deltas import SCRIPT, publish_two, scripts
from tests.support.processes import origin

# A browser keeps a dictionary some time after the answer has come: each round begins with the older build anew.
VISIT = """
const [host, older, newer, integrity] = ARGUMENTS;
const get = async (path, options) => {
  const answer = await fetch(host + path, {mode: 'cors', cache: 'reload', ...options});
  const text = await answer.text();
  const entry = performance.getEntriesByName(host + path).at(-1);
  return {coding: answer.headers.get('content-encoding'), url: answer.url, length: text.length,
          sent: entry.encodedBodySize, tail: text.slice(-24)};
};
const report = {secure: isSecureContext, newer: []};
for (const path of newer) {
  let found, rounds = 0;
  do {
    rounds += 1;
    report.older = await get(older, {});
    await new Promise(done => setTimeout(done, 200 * rounds));
    found = await get(path, {integrity});
  } while (found.coding !== 'dcz' && rounds < 15);
  report.newer.push(found);
}
"""


def test_a_browser_that_holds_the_older_build_loads_the_newer_one_as_a_delta(tmp_path: Path) -> None:
    data = publish_two(tmp_path)
    release(data, "1.1.0")
    source = str(tmp_path / "1.1.0")
    published = succeed(data, "publish", source, "--product", "sdk", "--version", "1.1.0")["artifacts"]
    artifact = next(item for item in published if item["path"] == "sdk.js")
    with origin(data, "--edge-keys-dictionaries") as process:
        # Another site than the page's, as an SDK's host is.
        host = process.url.replace("127.0.0.1", "localhost")
        arguments = [host, SCRIPT[0], [SCRIPT[1], "/t/acme/sdk/sdk.js"], artifact["integrity"]]
        report = run_in_browser(VISIT.replace("ARGUMENTS", json.dumps(arguments)))
    assert report.get("fault") is None, report
    assert report["secure"]
    assert report["older"]["coding"] == "br"
    assert len(report["newer"]) == 2
    for newer in report["newer"]:
        assert newer["url"] == host + SCRIPT[1]
        assert (newer["coding"], newer["sent"]) == ("dcz", artifact["deltas"][0]["size"])
        assert newer["sent"] < report["older"]["sent"] / 10
        assert newer["length"] == len(scripts()[1])
        assert newer["tail"].endswith("version = '1.1.0';\n")
