"""Beacons: what one page's installation of the SDK reports, once, of how it went."""

from enum import StrEnum

import msgspec

from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version
from release.core.names import Environment, Tenant


class Outcome(StrEnum):
    """How an installation went."""

    LOADED = "loaded"
    ERRORED = "errored"
    RENDER_DROPPED = "render-dropped"
    INTEGRITY_FAILED = "integrity-failed"


class Frame(msgspec.Struct, frozen=True):
    """A place in one of the build's files, as it is published; lines and columns count from 1."""

    path: ArtifactPath
    line: int
    column: int
    function: str


class FirstError(msgspec.Struct, frozen=True):
    """The first error of an installation, without anything of the visitor or the page.

    `kind` is the error's class, as TypeError; `message` has placeholders for what may be a visitor's; `frames` are
    those in the build's own files, the innermost first.
    """

    kind: str
    message: str
    frames: tuple[Frame, ...]


class Beacon(msgspec.Struct, frozen=True):
    """One report. `installation` is 128 random bits that the page drew when it loaded the SDK, kept nowhere."""

    product: Product
    version: Version
    tenant: Tenant
    environment: Environment
    installation: bytes
    outcome: Outcome
    error: FirstError | None = None
