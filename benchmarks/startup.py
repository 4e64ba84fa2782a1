"""How long the command takes to start: `python -m benchmarks.startup [--rounds N] [--json]`.

Whole processes, from start to end, beside `python -c 'import typer, rich'`: what a command line of these
two costs at the least. Interleaved, median of the rounds; the ratio is what counts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PEER = "import typer, rich"
_HEADRACE = str(Path(sys.executable).with_name("headrace"))
_TAB = {"_HEADRACE_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "headrace ro"}
_RUNS: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
    _PEER: ((sys.executable, "-c", _PEER), {}),
    "headrace --help": ((_HEADRACE, "--help"), {}),
    "headrace --version": ((_HEADRACE, "--version"), {}),
    "headrace rollout --help": ((_HEADRACE, "rollout", "--help"), {}),
    "headrace why --help": ((_HEADRACE, "why", "--help"), {}),
    "headrace ro<TAB>": ((_HEADRACE,), _TAB),
}


def _seconds(command: Sequence[str], variables: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env={**os.environ, **variables}, check=True, capture_output=True)
    return time.perf_counter() - began


def measure(rounds: int) -> dict[str, float]:
    """The median time of each run, in seconds."""
    for run in _RUNS.values():  # what is compiled and read from the disk once
        _seconds(*run)
    taken = [{name: _seconds(*run) for name, run in _RUNS.items()} for _ in range(rounds)]
    return {name: statistics.median(each[name] for each in taken) for name in _RUNS}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    medians = measure(options.rounds)
    ratios = {name: seconds / medians[_PEER] for name, seconds in medians.items()}
    if options.json:
        print(json.dumps({"seconds": medians, "ratios": ratios}))
        return
    for name, ratio in ratios.items():
        print(f"{ratio:5.2f}  {medians[name] * 1000:4.0f} ms  {name}")


if __name__ == "__main__":
    main()
