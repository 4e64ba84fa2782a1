"""Look at what is to be published before any of it is stored: for secrets, and for sources that would go along."""

from collections.abc import Collection, Sequence

import anyio.to_thread

from bundles.core.content_type import is_source_map
from bundles.core.digest import Digest, digest_of
from bundles.core.errors import Failed, Invalid, Refused
from bundles.core.names import ArtifactPath
from bundles.core.secrets import Finding, find_secrets, has_source_map
from bundles.ports import ArtifactSource

_SHOWN = 5


class WithoutSourceMaps:
    """A source's artifacts but for source maps by their names, which hold the sources themselves."""

    def __init__(self, source: ArtifactSource) -> None:
        self._source = source
        self._paths = tuple(path for path in source.paths if not is_source_map(path))
        if not self._paths:
            raise Invalid("nothing is left without source maps: --source-maps publishes them")

    @property
    def paths(self) -> Sequence[ArtifactPath]:
        """Every artifact's path, sorted."""
        return self._paths

    def size(self, path: ArtifactPath) -> int:
        """About how many bytes the artifact has."""
        return self._source.size(path)

    def read(self, path: ArtifactPath) -> bytes:
        """The artifact's bytes."""
        return self._source.read(path)


def changed(path: ArtifactPath) -> Failed:
    """The fault of a file that is not what was looked at: what would be stored was not screened."""
    return Failed(f"{path!r} changed while it was published: publish again once your build system is done")


async def screen(
    source: ArtifactSource, allowed: Collection[ArtifactPath], *, source_maps: bool
) -> dict[ArtifactPath, Digest]:
    """The digest of each file, as it was looked at.

    Raises `Refused` where a file that is not `allowed` holds a secret, or is or has a source map, unless those are
    wanted; `Invalid` where a file is allowed that is not there: such an exception would guard nothing.
    """
    if missing := sorted(set(allowed) - set(source.paths)):
        raise Invalid(f"--allow-secret {missing[0]}: the build has no such file")
    findings: list[Finding] = []
    screened: dict[ArtifactPath, Digest] = {}
    for path in source.paths:
        data = await anyio.to_thread.run_sync(source.read, path)
        screened[path] = digest_of(data)
        if path in allowed:
            continue
        findings += find_secrets(path, data)
        if not source_maps and has_source_map(data):
            findings.append(Finding(path, "a source map, which holds your sources; --source-maps publishes it"))
    if findings:
        shown = ", ".join(map(str, findings[:_SHOWN])) + (", …" if len(findings) > _SHOWN else "")
        raise Refused(
            f"{len(findings)} secrets in what would be public: {shown}. Take them out, and revoke each one that is"
            " real; --allow-secret PATH publishes a file all the same"
        )
    return screened
