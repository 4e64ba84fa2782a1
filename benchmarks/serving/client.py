"""The client: wrk, pinned to a core that no server has."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

CLIENT_CORE = 1
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


class Load(msgspec.Struct, frozen=True):
    """What one run of the client saw: requests a second, and the 99th percentile of latency in seconds."""

    rate: float
    p99: float


def pinned(core: int | None, *command: str) -> list[str]:
    """The command on one core, or on all of them."""
    return list(command) if core is None else ["taskset", "-c", str(core), *command]


def load(
    url: str,
    headers: Mapping[str, str],
    connections: int,
    seconds: int,
    script: Sequence[str | Path] = (),
    core: int | None = CLIENT_CORE,
) -> Load:
    """Ask for one URL, over so many connections, for so long. Raises `SystemExit` for an answer of 4xx or 5xx.

    A Lua script with its arguments may choose what is asked for.
    """
    command: list[str | Path] = [*pinned(core, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency")]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    scripted = ["-s", script[0], url, "--", *script[1:]] if script else [url]
    told = subprocess.run([*command, *scripted], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"{url} failed under load:\n{told}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", told)
    if rate is None or p99 is None:
        raise SystemExit(f"wrk said nothing that is understood:\n{told}")
    return Load(float(rate[1]), float(p99[1]) * _UNITS[p99[2]])
