"""Two consecutive builds of a script, of which the second one has a delta for who holds the first."""

import random
from pathlib import Path

from tests.support.cli import release, succeed, write_build

SCRIPT = "/sdk@1.0.0/sdk.js", "/sdk@1.1.0/sdk.js"


def scripts() -> tuple[bytes, bytes]:
    """What the two builds' scripts are."""
    seeded = random.Random(9842)
    common = "".join(f"globalThis.v{n} = {seeded.getrandbits(60)};\n" for n in range(1_000))
    return (common + "globalThis.version = '1.0.0';\n").encode(), (
        common + "globalThis.version = '1.1.0';\n"
    ).encode()


def publish_two(folder: Path) -> Path:
    """The data folder; the first build is released."""
    data = folder / "data"
    for version, script in zip(("1.0.0", "1.1.0"), scripts(), strict=True):
        source = write_build(
            folder / version, {"sdk.js": script, "other.js": script[:9_000], "plain.bin": script[:3]}
        )
        succeed(data, "publish", str(source), "--product", "sdk", "--version", version)
        if version == "1.0.0":
            release(data, version)
    return data
