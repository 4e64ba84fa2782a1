"""Archives that are published through the admin API, on a real disk."""

import io
import tarfile
import zipfile
from collections.abc import AsyncIterator

import msgspec
import pytest

from api.core.access import Caller, Grant
from api.core.limits import TooMany
from api.core.operation import NO_TERMS
from api.core.problems import TooLarge
from api.core.role import Role
from api.operations.builds import ReadBuild
from api.operations.publishing import PublishBuild
from api.perform import Plane, perform
from api.ports import Access
from api.publish import AT_ONCE, received
from api.sources import OpenedSources
from api.views.published import PublishedView
from bundles.core.errors import Failed, Invalid, NotAllowed, Refused
from headrace import publish_wiring
from release.change import Control

pytestmark = pytest.mark.anyio
PUBLISHER = Caller("github:acme/sdk", Grant(roles=frozenset({Role.PUBLISHER}), products=("sdk",)))
VIEWER = Caller("token:eve", Grant(roles=frozenset({Role.VIEWER})))
ONE = PublishBuild(product="sdk", version="1.0.0", commit="a" * 40, builder="https://ci.example/7")
FILES = {"sdk.js": b"globalThis.sdk = 1;", "sdk.js.map": b"{}"}


@pytest.fixture
def plane(control: Control, access: Access) -> Plane:
    return Plane(control, access, OpenedSources(control), publish_wiring.publishing(control))


def tgz(files: dict[str, bytes]) -> bytes:
    with io.BytesIO() as written:
        with tarfile.open(fileobj=written, mode="w:gz") as archive:
            for name, body in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(body)
                archive.addfile(info, io.BytesIO(body))
        return written.getvalue()


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 7):
        yield body[start : start + 7]


async def publish(
    plane: Plane, body: bytes, asked: PublishBuild = ONE, caller: Caller = PUBLISHER
) -> PublishedView:
    """As a server does it."""
    assert plane.publishing is not None
    async with received(plane.publishing, in_chunks(body)) as archive:
        return await perform(plane, caller, asked, NO_TERMS, archive)


async def test_an_archive_becomes_a_build_once(plane: Plane) -> None:
    made = await publish(plane, tgz(FILES))
    assert ([each.path for each in made.artifacts], made.created) == (["sdk.js"], True)
    assert not isinstance(made.provenance, msgspec.UnsetType)
    assert (made.provenance.source.commit, made.provenance.builder) == (ONE.commit, ONE.builder)
    assert [each.name for each in made.provenance.inputs] == ["sdk-1.0.0"]
    with io.BytesIO() as written:
        with zipfile.ZipFile(written, "w") as archive:
            archive.writestr("sdk.js", FILES["sdk.js"])
        again = await publish(plane, written.getvalue())
    assert (again.created, again.artifacts) == (False, made.artifacts)
    with pytest.raises(Refused, match="already published with other contents"):
        await publish(plane, tgz({"sdk.js": b"other"}))
    read = await perform(plane, VIEWER, ReadBuild(product="sdk", version="1.0.0"), NO_TERMS)
    assert read.artifacts.items == made.artifacts


async def test_what_is_asked_of_a_build_is_heeded(plane: Plane) -> None:
    asked = PublishBuild(product="sdk", version="1.0.0", source_maps=True, include=("sdk.js.map",))
    assert [each.path for each in (await publish(plane, tgz(FILES), asked)).artifacts] == ["sdk.js.map"]
    with pytest.raises(Refused, match="make it smaller, or raise the budget"):
        await publish(plane, tgz(FILES), PublishBuild(product="sdk", version="2.0.0", budget=("*.js=1B",)))
    with pytest.raises(Invalid, match="is no commit"):
        await publish(plane, tgz(FILES), PublishBuild(product="sdk", version="2.0.0", commit="main"))


async def test_what_is_no_safe_archive_makes_no_build_and_tells_no_path(plane: Plane) -> None:
    for body in (b"no archive", tgz(FILES)[:40], tgz({"../sdk.js": b"1"})):
        with pytest.raises(Invalid) as caught:
            await publish(plane, body)
        assert "headrace-" not in str(caught.value)
    assert await plane.control.builds.products() == []


async def test_who_may_not_publish_and_what_is_too_much_is_refused(plane: Plane) -> None:
    assert plane.publishing is not None
    with pytest.raises(NotAllowed, match="needs the role"):
        await publish(plane, tgz(FILES), caller=VIEWER)
    with pytest.raises(NotAllowed, match="other products"):
        await publish(plane, tgz(FILES), PublishBuild(product="other", version="1.0.0"))
    with pytest.raises(Invalid, match="as the body"):
        await perform(plane, PUBLISHER, ONE, NO_TERMS)
    with pytest.raises(Failed, match="nothing is published here"):
        await perform(Plane(plane.control, plane.access, plane.sources), PUBLISHER, ONE, NO_TERMS)
    small = msgspec.structs.replace(plane.publishing, most_bytes=10)
    with pytest.raises(TooLarge):
        await publish(msgspec.structs.replace(plane, publishing=small), tgz(FILES))
    for turn in range(AT_ONCE):
        plane.publishing.turns.acquire_on_behalf_of_nowait(turn)
    with pytest.raises(TooMany):
        await publish(plane, tgz(FILES))
    plane.publishing.turns.release_on_behalf_of(0)
    assert (await publish(plane, tgz(FILES))).created


async def test_nothing_of_an_archive_is_left(plane: Plane) -> None:
    assert plane.publishing is not None
    async with received(plane.publishing, in_chunks(tgz(FILES))) as archive:
        assert archive.read_bytes() == tgz(FILES)
    assert not archive.parent.exists()
    assert plane.publishing.turns.borrowed_tokens == 0
