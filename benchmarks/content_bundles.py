"""What a tenant's content costs: `python -m benchmarks.content_bundles [--json] [--count 10000]`.

Content bundles of four real small files (JSON, CSS, SVG, PNG), each made the tenant's own so that nothing is
stored already, are published by `headrace publish-batch`: first many in one run, then, interleaved, a thousand
more into that store, the same thousand into an empty one, and the same blobs by a plain loop of write and fsync.
What counts is that a bundle costs the same among the last as among the first, and in a full store as in an empty
one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from headrace.demo.fetch import NpmPackage, default_cache, fetch_package, find_npm

_WINDOW = 1_000
_ROUNDS = 5
_HEADRACE = Path(sys.executable).with_name("headrace")


class Content:
    """Real files of each kind, and as many tenants' bundles of them as are asked for."""

    def __init__(self) -> None:
        document = tomllib.loads((Path(__file__).parent / "content.toml").read_text())
        packages = msgspec.convert(document["package"], list[NpmPackage])
        builds = [fetch_package(default_cache(), package, find_npm()).builds[0].folder for package in packages]
        self._kinds = [[file.read_bytes() for file in sorted(folder.iterdir())] for folder in builds]

    def files(self, number: int) -> dict[str, bytes]:
        """A tenant's files: each holds the tenant's name, where its format has a place for it."""
        texts, styles, pictures, icons = (kind[number % len(kind)] for kind in self._kinds)
        name = b"tenant-%d" % number
        return {
            "content.json": texts.replace(b"{", b'{"tenant": "%b",' % name, 1),
            "theme.css": b"/* %b */\n" % name + styles,
            "logo.svg": pictures + b"<!-- %b -->\n" % name,
            "icon.png": icons + name,
        }

    def write(self, folder: Path, first: int, count: int) -> Path:
        """So many bundles' files, and the list of them."""
        with (folder / f"{first}.jsonl").open("w") as listing:
            for number in range(first, first + count):
                bundle = folder / str(number)
                bundle.mkdir()
                for name, data in self.files(number).items():
                    (bundle / name).write_bytes(data)
                line = {"product": f"@tenant-{number}/content", "version": "1.0.0", "files": str(number)}
                listing.write(json.dumps(line) + "\n")
        return folder / f"{first}.jsonl"


def _publish(data: Path, listing: Path) -> Iterator[float]:
    """Seconds from the start at which each bundle was there."""
    command: list[str | Path] = [_HEADRACE, "publish-batch", listing, "--data", data, "--json"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for line in process.stdout:
            assert json.loads(line)["state"] == "created", line
            yield time.perf_counter() - began
    assert process.returncode == 0


def _seconds(data: Path, listing: Path) -> float:
    return list(_publish(data, listing))[-1]


def _plain(blobs: list[bytes], folder: Path) -> float:
    """Seconds that the same bytes take in as many files, written and synced one after the other."""
    folder.mkdir()
    began = time.perf_counter()
    for number, blob in enumerate(blobs):
        descriptor = os.open(folder / str(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, blob)
        os.fsync(descriptor)
        os.close(descriptor)
    return time.perf_counter() - began


def _stored(data: Path) -> list[bytes]:
    return [path.read_bytes() for path in (data / "store").rglob("*") if path.is_file()]


def measure(scratch: Path, count: int) -> dict[str, object]:
    """All the figures. Seconds, and their ratios."""
    content, full = Content(), scratch / "full"
    at = [0.0, *_publish(full, content.write(scratch, 0, count))]
    windows = [at[end] - at[end - _WINDOW] for end in range(_WINDOW, count + 1, _WINDOW)]
    rounds = []
    for turn in range(_ROUNDS):
        listing = content.write(scratch, count + turn * _WINDOW, _WINDOW)
        empty = scratch / f"empty{turn}"
        among_many, alone = _seconds(full, listing), _seconds(empty, listing)
        rounds.append((among_many, alone, _plain(_stored(empty), scratch / f"plain{turn}")))
    return {
        "bundles": count,
        "seconds_per_thousand": [round(window, 3) for window in windows],
        "last_of_first": round(windows[-1] / windows[0], 3),
        "full_of_empty": round(statistics.median(full / empty for full, empty, _ in rounds), 3),
        "empty_of_plain": round(statistics.median(empty / plain for _, empty, plain in rounds), 3),
        "rounds": rounds,
    }


def main() -> None:
    """Print the ratios, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--count", type=int, default=10 * _WINDOW, help="bundles in the first run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch), options.count)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['bundles']} bundles in one run, seconds for each thousand: {found['seconds_per_thousand']}")
    print(f"the last thousand of the first: {found['last_of_first']} (target: at most 1.15)")
    print(
        f"a thousand into that store, of one into an empty store: {found['full_of_empty']} (target: at most 1.15)"
    )
    print(f"publishing of a plain loop that writes and syncs the same blobs: {found['empty_of_plain']}")


if __name__ == "__main__":
    main()
