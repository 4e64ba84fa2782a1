"""Trusted publishers: pipelines that publish without a secret (docs/trusted-publishing.md)."""

from typing import Annotated

from msgspec import Meta

from api.core.access import ADMINS
from api.core.fields import CursorField, LimitField, PatternsField, PublisherField
from api.core.operation import Change, Method, Operation, route
from api.core.page import Page
from api.core.publishers import Service
from api.core.role import Role
from api.views.publishers import PublisherView

_ONE = "/publishers/{name}"

_IdField = Annotated[str, Meta(pattern="^[0-9]{1,20}$", examples=["9919"])]
_IssuerField = Annotated[str, Meta(pattern="^https?://", max_length=200, examples=["https://gitlab.example.com"])]
_RepositoryField = Annotated[
    str, Meta(pattern="^[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+$", max_length=500, examples=["acme/sdk"])
]
_WorkflowField = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_./-]+\.ya?ml$", max_length=200, examples=["release.yml", ".gitlab-ci.yml"])
]
_JobEnvironmentField = Annotated[str, Meta(min_length=1, max_length=255, examples=["production"])]
_RefsField = Annotated[
    tuple[Annotated[str, Meta(pattern="^refs/(?:heads|tags)/.", max_length=255)], ...],
    Meta(min_length=1, max_length=100, examples=[["refs/tags/v*"]]),
]
_PipelineRole = Annotated[Role, Meta(examples=["publisher"])]


@route(Method.PUT, _ONE, ADMINS)
class SetPublisher(Change[PublisherView], frozen=True, kw_only=True):
    """Believe the ID tokens of one workflow's jobs, and say what they are let do.

    `repository_id` and `owner_id` are the service's own numbers: of a GitHub repository and its owner, of a GitLab
    project and its namespace. GitHub needs `owner_id` and GitLab `repository_id`, since names are taken again.
    `environment` is the job's; null where any job of the workflow is believed. `refs` are patterns.
    """

    name: PublisherField
    service: Service
    issuer: _IssuerField | None = None
    repository: _RepositoryField
    repository_id: _IdField | None = None
    owner_id: _IdField | None = None
    workflow: _WorkflowField
    environment: _JobEnvironmentField | None
    refs: _RefsField
    products: PatternsField
    roles: Annotated[frozenset[_PipelineRole], Meta(min_length=1)] = frozenset({Role.PUBLISHER})


@route(Method.GET, "/publishers", ADMINS)
class ListPublishers(Operation[Page[PublisherView]], frozen=True, kw_only=True):
    """The trusted publishers, by their names."""

    limit: LimitField = 100
    cursor: CursorField = ""


@route(Method.DELETE, _ONE, ADMINS)
class RemovePublisher(Change[PublisherView], frozen=True, kw_only=True):
    """Believe a publisher no more; the answer is what it was. Its sessions end within 15 minutes."""

    name: PublisherField
