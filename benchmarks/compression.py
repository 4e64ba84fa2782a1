"""How long compression takes: `python -m benchmarks.compression [--json]`.

Thirty real SDK scripts are made into gzip, br and zstd by Headrace, from the start of its process to its end,
and by the `brotli -q 11`, `zstd -19` and `gzip -9` command lines, one file a core. Interleaved, median of five;
the ratio is what counts. Then the peak memory of Headrace's process, for builds of more and more files.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.sdks import real_builds

_RUNS = 5
_COMMANDS = (
    ("brotli", "-q", "11", "-w", "24", "-f", "-k"),
    ("zstd", "-19", "-q", "-f", "-k"),
    ("gzip", "-9", "-f", "-k"),
)


def _time_headrace(folder: Path) -> tuple[float, dict[str, int]]:
    began = time.perf_counter()
    command = [sys.executable, "-c", "from benchmarks.compress_once import main; main()", str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - began, json.loads(output)


def _time_command_lines(folder: Path) -> float:
    def compress(file: Path) -> None:
        for command in _COMMANDS:
            subprocess.run([*command, file], check=True)

    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(shutil.copy(file, scratch)) for file in sorted(folder.iterdir())]
        files.sort(key=lambda file: file.stat().st_size, reverse=True)
        began = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compress, files))
        return time.perf_counter() - began


def _collect(folder: Path, copies: int) -> Path:
    """The real scripts in one folder, each made different in each copy so that none is stored already."""
    folder.mkdir()
    for copy in range(copies):
        for sdk in real_builds():
            for build in sdk.builds:
                data = (build.folder / sdk.entry).read_bytes() + b"\n" * copy
                (folder / f"{copy}-{sdk.product.replace('/', '-')}-{build.version}.js").write_bytes(data)
    return folder


def _memory(scratch: Path, copies: Sequence[int]) -> list[dict[str, int]]:
    rows = []
    for count in copies:
        folder = _collect(scratch / f"memory{count}", count)
        size = sum(file.stat().st_size for file in folder.iterdir())
        rows.append({"files": len(list(folder.iterdir())), "bytes": size, **_time_headrace(folder)[1]})
    return rows


def main() -> None:
    """Print the ratio and the memory, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if missing := [command[0] for command in _COMMANDS if shutil.which(command[0]) is None]:
        raise SystemExit(
            f"this benchmark needs {', '.join(missing)} on PATH: install the Debian packages of that name"
        )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        scripts = _collect(scratch / "scripts", 2)
        pairs = [(_time_headrace(scripts)[0], _time_command_lines(scripts)) for _ in range(_RUNS)]
        ratio = statistics.median(ours / theirs for ours, theirs in pairs)
        memory = _memory(scratch, (1, 2, 4))
    if options.json:
        print(json.dumps({"ratio": round(ratio, 3), "seconds": pairs, "memory": memory}, indent=2))
        return
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(f"headrace {ours:.2f} s, command lines {theirs:.2f} s: ratio {ratio:.2f} (target: at most 1.0)")
    for row in memory:
        print(f"{row['files']} files, {row['bytes']} bytes: {row['peak_kb']} kB")


if __name__ == "__main__":
    main()
