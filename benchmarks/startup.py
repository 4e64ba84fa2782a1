"""How long the command takes to start: `python -m benchmarks.startup [--rounds N] [--json]`.

Whole processes, from start to end, beside `python -c 'import typer, rich'`: what a command line of these
two costs at the least. Help, TAB, faults of usage, and verbs that do their work on a small data folder.
Interleaved, with what is compiled kept, as it is once the command is installed. Medians of the rounds; the ratio
is what counts, and that of the processor's time (user and system) is the steadier one where others use the
machine too.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

_PEER = "import typer, rich"
_HEADRACE = str(Path(sys.executable).with_name("headrace"))
_HELPS = (
    "--help",
    "--version",
    *(f"{verb} --help" for verb in ("rollout", "rollout start", "why", "tenant", "publish", "serve", "doctor")),
    "rollout start",
)
_TABS = ("ro", "rollout start --", "why acme --ch")
_WORK = ("why acme sdk", "why acme sdk --json", "rollout status sdk", "history sdk")


class Taken(NamedTuple):
    """What a run took, in seconds: from its start to its end, and of a processor."""

    wall: float
    cpu: float


class Run(NamedTuple):
    """A command, and the variables that it finds beside those of the environment."""

    command: Sequence[str]
    variables: Mapping[str, str]


def measure(rounds: int) -> dict[str, Taken]:
    """The medians of each run."""
    with _runs() as runs:
        for run in runs.values():  # what is compiled and read from the disk once
            _take(run)
        taken = [{name: _take(run) for name, run in runs.items()} for _ in range(rounds)]
    return {
        name: Taken(*(statistics.median(each[name][place] for each in taken) for place in range(2)))
        for name in runs
    }


@contextmanager
def _runs() -> Iterator[dict[str, Run]]:
    with tempfile.TemporaryDirectory() as scratch:
        kept = {"PYTHONPYCACHEPREFIX": f"{scratch}/compiled", "HEADRACE_DATA": f"{scratch}/data"}
        _release(Path(scratch), kept)
        runs = {_PEER: Run((sys.executable, "-c", _PEER), kept)}
        runs |= {f"headrace {typed}": Run((_HEADRACE, *typed.split()), kept) for typed in (*_HELPS, *_WORK)}
        runs |= {f"headrace {typed}<TAB>": Run((_HEADRACE,), {**kept, **_tab(typed)}) for typed in _TABS}
        yield runs


def _release(folder: Path, variables: Mapping[str, str]) -> None:
    """A product with a stable build and one that is rolled out."""
    (folder / "dist").mkdir()
    (folder / "dist" / "sdk.js").write_text("export const version = 1;\n")
    for typed in (
        f"publish {folder}/dist --product sdk --version 1.0.0",
        f"publish {folder}/dist --product sdk --version 1.1.0",
        "rollout start sdk 1.0.0 --stages 100",
        "rollout promote sdk",
        "rollout start sdk 1.1.0",
    ):
        subprocess.run((_HEADRACE, *typed.split()), env=_environment(variables), check=True, capture_output=True)


def _tab(typed: str) -> dict[str, str]:
    words = f"headrace {typed}"
    place = str(len(words.split(" ")) - 1)
    return {"_HEADRACE_COMPLETE": "complete_bash", "COMP_CWORD": place, "COMP_WORDS": words}


def _take(run: Run) -> Taken:
    began, used = time.perf_counter(), _cpu()
    subprocess.run(run.command, env=_environment(run.variables), check=False, capture_output=True)
    return Taken(time.perf_counter() - began, _cpu() - used)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | dict(
        variables
    )


def _cpu() -> float:
    """What the runs that have ended took of a processor so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    medians = measure(options.rounds)
    peer = medians[_PEER]
    ratios = {name: Taken(taken.wall / peer.wall, taken.cpu / peer.cpu) for name, taken in medians.items()}
    if options.json:
        print(
            json.dumps(
                {
                    "seconds": {name: taken._asdict() for name, taken in medians.items()},
                    "ratios": {name: ratio._asdict() for name, ratio in ratios.items()},
                }
            )
        )
        return
    print(" wall   cpu")
    for name, ratio in ratios.items():
        print(f"{ratio.wall:5.2f} {ratio.cpu:5.2f}  {medians[name].wall * 1000:4.0f} ms  {name}")


if __name__ == "__main__":
    main()
