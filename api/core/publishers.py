"""Trusted publishers: pipelines that are known by what their CI service says of them, and hold no secret."""

import re
from collections.abc import Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import msgspec

from api.core.access import Grant, caller_name
from api.core.id_token import IdToken
from api.core.oidc import check_issuer
from api.core.role import Role
from bundles.core.errors import Invalid
from release.core.scope import ForProducts

PIPELINE_ROLES = frozenset({Role.PUBLISHER, Role.RELEASER})
"""What a pipeline may be let do at most."""


class Service(StrEnum):
    """The CI services whose tokens are known."""

    GITHUB = "github"
    GITLAB = "gitlab"


ISSUERS = {Service.GITHUB: "https://token.actions.githubusercontent.com", Service.GITLAB: "https://gitlab.com"}
"""Who issues the tokens of each service, where it is not a company's own installation."""

EVENTS = {
    Service.GITHUB: frozenset(
        {"push", "release", "workflow_dispatch", "repository_dispatch", "schedule", "deployment"}
    ),
    Service.GITLAB: frozenset({"push", "web", "schedule", "api", "trigger"}),
}
"""What may have started a pipeline: only what needs a right to write to the repository.

A pull request, from a fork or not, and whatever else anybody can cause (`pull_request_target`, `issue_comment`,
`workflow_run`, …) are not among them, though some of those run on the repository's main branch.
"""


class TrustedPublisher(ForProducts, frozen=True, kw_only=True):
    """A trusted publisher: which jobs of which repository are believed, and what they are let do.

    `repository` is GitHub's `owner/name` or GitLab's project path, and `repository_id` and `owner_id` are the
    service's numbers for the two, which a later owner of the same name does not get. `workflow` is the job's own
    file: `release.yml` in `.github/workflows`, or `.gitlab-ci.yml`. `refs` are patterns of whole refs, as in
    `refs/tags/v*`. `environment` is the job's; null where any job of the workflow is believed.
    """

    service: Service
    issuer: str
    repository: str
    repository_id: str | None = None
    owner_id: str | None = None
    workflow: str
    environment: str | None
    refs: tuple[str, ...]
    roles: frozenset[Role] = frozenset({Role.PUBLISHER})

    @property
    def grant(self) -> Grant:
        """What its pipelines are let do."""
        return Grant(roles=self.roles, products=self.products)


class Mismatch(msgspec.Struct, frozen=True):
    """The first claim of a token that is not as its publisher has it.

    `wanted` is for the audit trail: who holds a token of that service, which anybody can get, learns only what the
    token says itself.
    """

    claim: str
    said: str | None
    wanted: str

    def __str__(self) -> str:
        said = "is missing" if self.said is None else f"is {self.said[:200]!r}"
        return f"the token's claim {self.claim!r} {said}, which is not what the trusted publisher has"


def check_publisher(publisher: TrustedPublisher) -> None:
    """Raise `Invalid` for a publisher that believes too much, or nothing."""
    check_issuer(publisher.issuer)
    texts = (publisher.issuer, publisher.repository, publisher.workflow, publisher.environment, *publisher.refs)
    if not "".join(filter(None, texts)).isprintable():
        raise Invalid("what a trusted publisher is known by is text on one line")
    if publisher.service is Service.GITHUB and publisher.owner_id is None:
        raise Invalid(
            "a GitHub publisher needs `owner_id`: a deleted account's name can be taken by somebody else."
            " `gh api repos/OWNER/NAME --jq .owner.id` shows it"
        )
    if publisher.service is Service.GITLAB and publisher.repository_id is None:
        raise Invalid(
            "a GitLab publisher needs `repository_id`, the project's ID: a deleted project's path can be taken by"
            " somebody else. The project's page shows it"
        )
    if publisher.service is Service.GITHUB and "/" in publisher.workflow:
        raise Invalid(
            "a GitHub workflow is named by its file alone, as in release.yml: it is in .github/workflows"
        )
    if not publisher.refs:
        raise Invalid("name the refs that may publish, as in refs/tags/v*")
    for pattern in publisher.refs:
        if not re.match(r"refs/(heads|tags)/.", pattern):
            raise Invalid(f"{pattern!r} is no pattern of branches or tags: begin with refs/heads/ or refs/tags/")
    if not publisher.roles or not publisher.roles <= PIPELINE_ROLES:
        raise Invalid(f"a pipeline may have the roles {' and '.join(sorted(PIPELINE_ROLES))}, and no other")


def match(publisher: TrustedPublisher, token: IdToken) -> Mismatch | None:
    """What of a verified token of the publisher's issuer is not as the publisher has it; None where all is."""
    conditions = _github(publisher, token) if publisher.service is Service.GITHUB else _gitlab(publisher, token)
    return next((condition for condition in conditions if condition is not None), None)


def pipeline_name(publisher: TrustedPublisher, token: IdToken) -> str:
    """The pipeline's name for the audit trail, as in `github:acme/sdk:release.yml@refs/heads/main`.

    That of an issuer of one's own names it, as in `github:ci.acme.com:acme/sdk:…`: else whoever runs one could
    have a repository there by the name of another's.
    """
    ref = token.text(_REF_CLAIM[publisher.service]) or ""
    service = str(publisher.service)
    if publisher.issuer != ISSUERS[publisher.service]:
        service += f":{publisher.issuer.partition('://')[2]}"
    return caller_name(f"{service}:{publisher.repository}:{publisher.workflow}@{ref}")


_REF_CLAIM = {Service.GITHUB: "ref", Service.GITLAB: "ref_path"}


def _github(publisher: TrustedPublisher, token: IdToken) -> Iterator[Mismatch | None]:
    """The claims of GitHub Actions. Its names of repositories and environments have no case."""
    repository = token.text("repository")
    yield _same(token, "repository", publisher.repository, ignore_case=True)
    yield _same(token, "repository_owner_id", publisher.owner_id)
    yield _same(token, "repository_id", publisher.repository_id)
    yield _event(publisher, token, "event_name")
    yield _ref(publisher, token)
    # `workflow_ref` is the file that was started, `job_workflow_ref` the one whose job asked for the token, which
    # may be another repository's. Both have to be the publisher's: a workflow that it calls is not.
    file = f"{repository}/.github/workflows/{publisher.workflow}@{token.text('ref')}"
    yield _same(token, "workflow_ref", file)
    yield _same(token, "job_workflow_ref", file)
    yield _same(token, "environment", publisher.environment, ignore_case=True)


def _gitlab(publisher: TrustedPublisher, token: IdToken) -> Iterator[Mismatch | None]:
    """The claims of GitLab CI. Its paths have no case."""
    yield _same(token, "project_path", publisher.repository, ignore_case=True)
    yield _same(token, "project_id", publisher.repository_id)
    yield _same(token, "namespace_id", publisher.owner_id)
    yield _event(publisher, token, "pipeline_source")
    yield _ref(publisher, token)
    issuer = urlsplit(publisher.issuer)
    project = f"{issuer.netloc}{issuer.path.rstrip('/')}/{token.text('project_path')}"
    yield _same(token, "ci_config_ref_uri", f"{project}//{publisher.workflow}@{token.text('ref_path')}")
    yield _same(token, "environment", publisher.environment)


def _same(token: IdToken, claim: str, wanted: str | None, *, ignore_case: bool = False) -> Mismatch | None:
    """A claim that the publisher does not ask for (None) may say anything."""
    if wanted is None:
        return None
    said = token.text(claim)
    is_same = said is not None and (said.lower() == wanted.lower() if ignore_case else said == wanted)
    return None if is_same else Mismatch(claim, said, wanted)


def _event(publisher: TrustedPublisher, token: IdToken, claim: str) -> Mismatch | None:
    said, allowed = token.text(claim), EVENTS[publisher.service]
    return None if said in allowed else Mismatch(claim, said, f"one of {', '.join(sorted(allowed))}")


def _ref(publisher: TrustedPublisher, token: IdToken) -> Mismatch | None:
    claim = _REF_CLAIM[publisher.service]
    said = token.text(claim)
    is_allowed = said is not None and any(fnmatchcase(said, pattern) for pattern in publisher.refs)
    return None if is_allowed else Mismatch(claim, said, f"one of {', '.join(publisher.refs)}")
