"""The real SDK builds that the benchmarks work on."""

import tomllib
from pathlib import Path

import msgspec

from headrace.demo.fetch import NpmPackage, SdkBuilds, default_cache, fetch_package, find_npm


def real_builds() -> list[SdkBuilds]:
    """Five consecutive builds of each of three SDKs, the oldest first; npm is asked for what is not cached."""
    document = tomllib.loads((Path(__file__).parent / "sdks.toml").read_text())
    packages = msgspec.convert(document["package"], list[NpmPackage])
    return [fetch_package(default_cache(), package, find_npm()) for package in packages]
