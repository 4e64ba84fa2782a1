"""Real npm packages: one with what npm's attestations endpoint answers for it, and one with its source map."""

import tempfile
from pathlib import Path

from headrace.demo.fetch import NpmPackage, check_integrity, default_cache, fetch_package, find_npm, pack

PACKAGE = "@playwright/cli@0.1.1"
INTEGRITY = "sha512-9k11ZfDwAfMVDDIuEVW1Wvs8SoDNXIY1dNQ+9C9/SS8ZmElkcxesu5eoL7vNa96ntibUGaq1TM2qQoqvdl/I9g=="
REPOSITORY = "https://github.com/microsoft/playwright-cli"
COMMIT = "d1c6d1113932ddcee243e8b111b6d4aea553df20"
ATTESTATIONS = Path(__file__).with_name("playwright-cli-0.1.1.attestations.json")
"""As the endpoint gives it, but for the URL of the log's copy. SLSA provenance v1, and npm's own on publishing."""

NPM_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEY6Ya7W++7aUPzvMTrezH6Ycx3c+H
OKYCcNGybJZSCJq/fd7Qa8uuAKtdIkUQtQiEKERhAmE5lMMJhP8OkDOa2g==
-----END PUBLIC KEY-----
"""
"""The public key that npm signs its own attestations with since January 2025."""


def tarball() -> Path:
    """The package as npm has it, cached; its bytes are the locked ones."""
    cached = default_cache() / "tarballs" / "playwright-cli-0.1.1.tgz"
    if not cached.exists():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
            pack(Path(scratch), PACKAGE, find_npm()).rename(cached)
    check_integrity(cached, INTEGRITY)
    return cached


SCRIPT = "preact.min.umd.js"
_INTEGRITY = "sha512-KJhO7LBFTjP71d83trW+Ilnjbo+ySsaAgCfXOXUlmGzJ4ygYPWmysm77yg4emwfmoz3b22yvH5IsVFHbhUaH5w=="
_PREACT = NpmPackage(
    package="preact",
    entry=SCRIPT,
    folder="dist",
    files=(SCRIPT, f"{SCRIPT}.map"),
    versions={"10.26.4": _INTEGRITY},
)


def minified() -> Path:
    """The folder of a real minified script and its source map, as its authors published them; cached."""
    return fetch_package(default_cache(), _PREACT, find_npm()).builds[0].folder
