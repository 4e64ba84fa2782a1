"""What was published."""

from api.core.access import READERS
from api.core.fields import CursorField, EnvironmentField, LimitField, ProductField, VersionField
from api.core.operation import Method, Operation, route
from api.core.page import Page
from api.views.build import BuildView, ManifestView, ProductView, ProvenanceView
from api.views.error import ErrorsView
from release.core.names import PRODUCTION

_BUILDS = "/products/{product}/builds"
_BUILD = f"{_BUILDS}/{{version}}"


@route(Method.GET, "/products", READERS)
class ListProducts(Operation[Page[ProductView]], frozen=True, kw_only=True):
    """List the products that have a published build, of those that the caller has a right to."""

    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.GET, _BUILDS, READERS)
class ListBuilds(Operation[Page[BuildView]], frozen=True, kw_only=True):
    """List a product's published builds, the newest version first."""

    product: ProductField
    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.GET, _BUILD, READERS)
class ReadBuild(Operation[ManifestView], frozen=True, kw_only=True):
    """Show a build's files, each with its integrity value, variants and deltas; the files are a list in pages."""

    product: ProductField
    version: VersionField
    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.GET, f"{_BUILD}/provenance", READERS)
class ReadProvenance(Operation[ProvenanceView], frozen=True, kw_only=True):
    """Say how a build was made, and who attests that, as it is verified now."""

    product: ProductField
    version: VersionField


@route(Method.GET, f"{_BUILD}/errors", READERS)
class ReadErrors(Operation[ErrorsView], frozen=True, kw_only=True):
    """Show a build's errors in groups, each with a stack in the sources by the source maps published with it."""

    product: ProductField
    version: VersionField
    environment: EnvironmentField = PRODUCTION
