"""What this machine may do in a store in S3, found out by doing it to an object that is no part of a build."""

import secrets
from collections.abc import Awaitable, Callable, Mapping

import anyio

from bundles.adapters.s3_bucket import S3Bucket, S3Location
from bundles.core.errors import Failed

_FOLDER = "blobs/"
_PROBE = b"headrace doctor"
_REMOVE_SECONDS = 5


async def lacking_s3_rights(location: S3Location, *, writes: bool) -> Mapping[str, str]:
    """The rights that are missing at this place, each with why; the object is gone again at the end."""
    lacking: dict[str, str] = {}

    async def attempt(right: str, act: Callable[[], Awaitable[object]]) -> None:
        try:
            await act()
        except Failed as error:
            lacking[right] = str(error)

    key = f"{_FOLDER}doctor-probe-{secrets.token_hex(8)}"
    async with S3Bucket.open(location) as bucket:
        await attempt("list", lambda: anext(bucket.pages(_FOLDER)))
        if not writes:
            await attempt("read", lambda: bucket.read_whole(key, len(_PROBE)))
            return lacking
        try:
            await attempt("write", lambda: bucket.put(key, _PROBE))
            await attempt("read", lambda: bucket.read_whole(key, len(_PROBE)))
        finally:
            with anyio.move_on_after(_REMOVE_SECONDS, shield=True):
                await attempt("remove", lambda: bucket.remove([key]))
    return lacking
