"""What is served: real SDK builds, published and released by Headrace, and as a plain folder for the peers."""

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.sdks import real_builds
from bundles.core.compress import Encoding, encode
from bundles.core.delta import make_delta

PRODUCT = "posthog-js"
LARGE = "array.js"
SMALL = "crisp-chat-integration.js"
DELTA = "array.js.dcz"
HEADRACE = Path(sys.executable).with_name("headrace")


class World(msgspec.Struct, frozen=True):
    """A data folder of Headrace's, the peers' folder, and what to ask for.

    `dictionary` is the `Available-Dictionary` value of a client that holds the build before `version`.
    """

    data: Path
    folder: Path
    version: str
    dictionary: str


def make_world(scratch: Path) -> World:
    """Publish two consecutive builds of posthog-js, release the newer one, and lay its files out for the peers."""
    before, after = real_builds()[0].builds[-2:]
    data, folder = scratch / "data", scratch / "www"
    for build in (before, after):
        _headrace(data, "publish", build.folder, "--product", PRODUCT, "--version", build.version)
        _headrace(data, "rollout", "start", PRODUCT, build.version, "--stages", "100")
        _headrace(data, "rollout", "promote", PRODUCT)
    folder.mkdir()
    for name in (LARGE, SMALL):
        contents = (after.folder / name).read_bytes()
        (folder / name).write_bytes(contents)
        (folder / f"{name}.br").write_bytes(encode(contents, Encoding.BR))
        (folder / f"{name}.gz").write_bytes(encode(contents, Encoding.GZIP))
    dictionary = (before.folder / LARGE).read_bytes()
    (folder / DELTA).write_bytes(make_delta((after.folder / LARGE).read_bytes(), dictionary))
    digest = base64.b64encode(hashlib.sha256(dictionary).digest()).decode()
    return World(data, folder, after.version, f":{digest}:")


def _headrace(data: Path, *arguments: object) -> None:
    subprocess.run(
        [HEADRACE, *map(str, arguments), "--data", data], check=True, stdout=subprocess.DEVNULL, text=True
    )
