"""The built-in smoke test in a real Chromium: a good build passes, and each kind of broken one fails by name."""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import msgspec
import pytest

from bundles.core.digest import integrity_of
from bundles.core.names import parse_artifact_path
from headrace.demo.fetch import default_cache, fetch_builds, find_npm, read_lock
from release.adapters.browser_smoke import BrowserSmoke
from release.adapters.chromium import Chromium, find_chromium
from release.core.smoke import BrowserTest
from release.ports import SmokeResult
from tests.support.browser import run_in_browser
from tests.support.smoke import candidate

pytestmark = pytest.mark.anyio

GLOBALS = {"posthog-js": "posthog", "web-vitals": "webVitals"}
ENTRY = parse_artifact_path("sdk.js")


def find() -> Chromium:
    """Without its sandbox, which needs rights that a container has not: it opens builds of the test alone."""
    return Chromium(find_chromium().program, sandbox=False)


async def load(folder: Path, files: dict[str, str | bytes], test: BrowserTest) -> SmokeResult:
    async with candidate(folder / "data", files) as (store, build):
        return await BrowserSmoke(store, find).run(test, build)


async def test_a_real_sdk_passes(tmp_path: Path) -> None:
    sdk = fetch_builds(default_cache(), read_lock(), find_npm())
    files: dict[str, str | bytes] = {
        file.name: file.read_bytes() for file in sdk.builds[-1].folder.iterdir() if file.is_file()
    }
    name = GLOBALS[sdk.product]
    test = BrowserTest(name="browser", global_name=name, entry=parse_artifact_path(sdk.entry))
    result = await load(tmp_path, files, test)
    assert result.passed, result
    assert f"loads {sdk.entry}, and {name} is there (object)" in result.finding


@pytest.mark.parametrize(
    ("files", "entry", "global_name"),
    [
        # The script at the top, another that it loads, a lexical global, and what is caught is no fault.
        (
            {
                "sdk.js": "const sdk = {init() {}}; try { nowhere() } catch {}\n"
                "const more = document.createElement('script');\n"
                "more.src = new URL('lib/more.js', document.currentScript.src); document.head.append(more);",
                "lib/more.js": "Promise.reject(new Error('handled')).catch(() => 0);",
            },
            None,
            "sdk.init",
        ),
        (
            {
                "esm/sdk.mjs": "import {one} from './one.mjs'; globalThis.sdk = one;",
                "esm/one.mjs": "export const one = 1;",
            },
            "esm/sdk.mjs",
            "sdk",
        ),
    ],
    ids=["script", "module"],
)
async def test_whole_builds_pass(
    tmp_path: Path, files: dict[str, str | bytes], entry: str | None, global_name: str
) -> None:
    path = None if entry is None else parse_artifact_path(entry)
    result = await load(tmp_path, files, BrowserTest(name="browser", global_name=global_name, entry=path))
    assert result.passed, result


GOOD = "globalThis.sdk = {};\n"


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        (GOOD + "throw new Error('boom at load');", "Uncaught Error: boom at load (http://localhost:"),
        (GOOD + "if (", "Uncaught SyntaxError: Unexpected end of input"),
        ("var other = 1;", "there is no global sdk once sdk.js has loaded"),
        (GOOD + "Promise.reject(new Error('left alone'));", "unhandled rejection: Error: left alone"),
        (GOOD + "setTimeout(() => missing(), 100);", "missing is not defined"),
        (
            GOOD + "fetch('https://telemetry.example/beacon').catch(() => 0);",
            "blocked connect-src https://telemetry.example",
        ),
        (
            GOOD + "fetch(new URL('chunk-1.js', document.currentScript.src));",
            "/sdk@1.0.0/chunk-1.js was asked for, and the build has no such file",
        ),
    ],
    ids=["throws", "syntax", "no-global", "rejects", "late", "network", "chunk"],
)
async def test_a_broken_build_fails_and_says_how(tmp_path: Path, script: str, fault: str) -> None:
    result = await load(tmp_path, {"sdk.js": script}, BrowserTest(name="browser", global_name="sdk", entry=ENTRY))
    assert not result.passed, result
    assert fault in result.finding
    assert fault in result.output


async def test_a_script_that_is_not_as_its_integrity_says_is_not_run(tmp_path: Path) -> None:
    async with candidate(tmp_path / "data", {"sdk.js": GOOD}) as (store, build):
        [artifact] = build.manifest.artifacts
        other = msgspec.structs.replace(artifact, integrity=integrity_of(b"other bytes"))
        manifest = msgspec.structs.replace(build.manifest, artifacts=(other,))
        test = BrowserTest(name="browser", global_name="sdk")
        result = await BrowserSmoke(store, find).run(test, msgspec.structs.replace(build, manifest=manifest))
    assert not result.passed
    assert "could not load http://localhost:" in result.finding
    assert "there is no global sdk" in result.output


async def test_a_build_that_hangs_the_page_fails_in_its_time_and_takes_the_browser_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tempfile.mkdtemp(
        prefix="hang-"
    )  # by which the browser's processes are known; its path must be short
    monkeypatch.setattr("tempfile.tempdir", scratch)
    test = BrowserTest(name="browser", global_name="sdk", entry=ENTRY, timeout_seconds=4)
    result = await load(tmp_path, {"sdk.js": "for (;;);"}, test)
    assert (result.passed, result.finding) == (
        False,
        "the page with sdk.js did not come to rest within 4 seconds",
    )
    for _ in range(500):
        if not _processes_of(scratch):
            break
        await anyio.sleep(0.02)
    assert _processes_of(scratch) == []
    await anyio.Path(scratch).rmdir()


def test_the_browser_reaches_nothing_beyond_loopback() -> None:
    with _neighbour() as (address, asked):
        url = f"http://{address}/"
        report = run_in_browser(
            f"const report = await fetch('{url}', {{mode: 'no-cors'}}).then(() => 'reached', String);"
            f"new Image().src = '{url}image'; navigator.sendBeacon('{url}beacon', 'x');"
            "await new Promise(done => setTimeout(done, 500));"
        )
    assert report == "TypeError: Failed to fetch"
    assert asked == []


@contextmanager
def _neighbour() -> Iterator[tuple[str, list[str]]]:
    """A server of this machine on an address that is none of loopback's, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing."""

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which address would be used
        own: str = probe.getsockname()[0]
    assert not own.startswith("127."), "this machine has no address but loopback's"
    with ThreadingHTTPServer((own, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{own}:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _processes_of(folder: str) -> list[str]:
    """The command lines on this machine that name the folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if folder in line:
                found.append(line)
    return found


async def test_a_browser_that_ends_by_itself_is_named_with_what_it_said(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho 'FATAL: no usable sandbox' >&2; echo more >&2; exit 1\n")
    program.chmod(0o755)
    async with candidate(tmp_path / "data", {"sdk.js": GOOD}) as (store, build):
        runner = BrowserSmoke(store, lambda: Chromium(str(program), sandbox=True))
        with pytest.raises(Exception, match=r"ended by itself \(FATAL: no usable sandbox\).*SANDBOX=off"):
            await runner.run(BrowserTest(name="browser", global_name="sdk"), build)


def test_the_page_can_not_be_left_by_what_a_plan_says() -> None:
    for name in ("</script><script>alert(1)", "a;b", "a b", "", "1a", "a." * 9 + "a"):
        with pytest.raises(ValueError, match="not a global's name"):
            BrowserTest(name="browser", global_name=name)
    assert msgspec.json.decode(b'{"name":"b","global_name":"a.b"}', type=BrowserTest).global_name == "a.b"
