"""Publishing."""

from typing import Annotated

from msgspec import Meta

from api.core.access import PUBLISHERS
from api.core.fields import ChannelField, ProductField, ReasonField, VersionField
from api.core.operation import Method, Operation, route
from api.views.published import PublishedView
from bundles.core.limits import MAX_BASES
from release.core.names import STABLE

# They are in the URL, which with all other header fields has 32 KiB.
_Text = Annotated[str, Meta(min_length=1, max_length=512)]
_Paths = Annotated[tuple[_Text, ...], Meta(max_length=32)]


@route(Method.POST, "/products/{product}/builds/{version}", PUBLISHERS, status=201, takes_archive=True)
class PublishBuild(Operation[PublishedView], frozen=True, kw_only=True):
    """Make an immutable, signed, compressed build of a tar, tgz or zip. What tenants are served does not change.

    The archive is the body. The same files under the same version again are answered with 200, and mend what the
    store has lost of them; other files under it are refused. With `include` it is made of these files and folders
    alone. Deltas are made against so many builds that clients of the `channel` hold, and growth is measured
    against the newest of these. `budget` and `allow_secret` are as those of `headrace publish`.
    It is a row of the audit trail, with the caller's name and the `reason`.
    """

    product: ProductField
    version: VersionField
    include: _Paths = ()
    source_maps: bool = False
    allow_secret: _Paths = ()
    budget: _Paths = ()
    channel: ChannelField = STABLE
    deltas: Annotated[int, Meta(ge=0, le=MAX_BASES, description="Against so many builds")] = 3
    delta_budget: Annotated[str, Meta(max_length=20, description="The most bytes of all deltas")] = "16MiB"
    commit: Annotated[str, Meta(max_length=64, description="The commit that was built, in full")] | None = None
    source_repository: Annotated[str, Meta(max_length=1024, description="The URL of its repository")] | None = None
    builder: Annotated[str, Meta(max_length=1024, description="Who or what built it, by a URI")] | None = None
    reason: ReasonField = ""
