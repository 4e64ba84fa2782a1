"""What schemathesis is to know of the API beside its document: how an archive is made."""

import io
import tarfile
from typing import Any

import schemathesis
from hypothesis import strategies as st

from api.core.request import ARCHIVE_TYPES


@schemathesis.serializer(*ARCHIVE_TYPES)
def _as_it_is(_: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _archive(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("sdk.js")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


for kind in ARCHIVE_TYPES:
    schemathesis.openapi.media_type(kind, st.binary(max_size=200) | st.binary(max_size=200).map(_archive))
