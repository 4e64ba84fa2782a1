"""Trusted publishers: what they believe of GitHub's and GitLab's claims, and who may name them."""

from typing import Any

import msgspec
import pytest

from api.core.access import Caller, Grant
from api.core.id_token import IdToken
from api.core.operation import Terms
from api.core.publishers import ISSUERS, Service, TrustedPublisher, check_publisher, match, pipeline_name
from api.core.role import Role
from api.operations.publishers import ListPublishers, RemovePublisher, SetPublisher
from api.perform import Plane, perform
from bundles.core.errors import Invalid, NotAllowed, NotFound
from release.core.audit import open_row
from tests.support.issuer import GITHUB, gitlab

GITHUB_PUBLISHER = TrustedPublisher(
    service=Service.GITHUB,
    issuer=ISSUERS[Service.GITHUB],
    repository="acme/sdk",
    repository_id="74",
    owner_id="65",
    workflow="release.yml",
    environment="production",
    refs=("refs/heads/main", "refs/tags/v*"),
    products=("posthog-*",),
)
GITLAB_PUBLISHER = msgspec.structs.replace(
    GITHUB_PUBLISHER,
    service=Service.GITLAB,
    issuer=ISSUERS[Service.GITLAB],
    repository_id="20",
    owner_id="72",
    workflow=".gitlab-ci.yml",
)
PUBLISHERS = {Service.GITHUB: GITHUB_PUBLISHER, Service.GITLAB: GITLAB_PUBLISHER}
CLAIMS = {Service.GITHUB: GITHUB, Service.GITLAB: gitlab(ISSUERS[Service.GITLAB])}
ADMIN = Caller("ada@example.com", Grant(roles=frozenset({Role.ADMIN})))
TERMS = Terms()


def token(service: Service, **changed: Any) -> IdToken:
    claims = {name: said for name, said in {**CLAIMS[service], **changed}.items() if said is not None}
    return IdToken(ISSUERS[service], "someone", 2_000_000_000, "1", claims)


def on(service: Service, ref: str, **changed: Any) -> IdToken:
    """The token of a job that runs on this ref, all of whose claims say so."""
    if service is Service.GITHUB:
        file = f"acme/sdk/.github/workflows/release.yml@{ref}"
        return token(service, **{"ref": ref, "workflow_ref": file, "job_workflow_ref": file, **changed})
    uri = f"gitlab.com/acme/sdk//.gitlab-ci.yml@{ref}"
    return token(service, **{"ref_path": ref, "ci_config_ref_uri": uri, **changed})


@pytest.mark.parametrize("service", Service)
@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1.2.3"])
def test_a_job_of_the_workflow_is_believed(service: Service, ref: str) -> None:
    assert match(PUBLISHERS[service], on(service, ref)) is None


WRONG = [
    (Service.GITHUB, "repository", "acme/sdk-2"),
    (Service.GITHUB, "repository", "evil/sdk"),
    (Service.GITHUB, "repository_owner_id", "66"),
    (Service.GITHUB, "repository_id", "75"),
    (Service.GITHUB, "event_name", "pull_request"),
    (Service.GITHUB, "event_name", "pull_request_target"),
    (Service.GITHUB, "event_name", "issue_comment"),
    (Service.GITHUB, "event_name", "workflow_run"),
    (Service.GITHUB, "ref", "refs/heads/mainly"),
    (Service.GITHUB, "ref", "refs/pull/7/merge"),
    (Service.GITHUB, "workflow_ref", "acme/sdk/.github/workflows/evil.yml@refs/heads/main"),
    (Service.GITHUB, "workflow_ref", "acme/sdk/.github/workflows/release.yml@refs/heads/other"),
    (Service.GITHUB, "workflow_ref", "acme/sdk/.github/workflows/x/release.yml@refs/heads/main"),
    (Service.GITHUB, "job_workflow_ref", "acme/shared/.github/workflows/release.yml@refs/heads/main"),
    (Service.GITHUB, "environment", "staging"),
    (Service.GITLAB, "project_path", "acme/sdk/sub"),
    (Service.GITLAB, "project_id", "21"),
    (Service.GITLAB, "namespace_id", "73"),
    (Service.GITLAB, "pipeline_source", "merge_request_event"),
    (Service.GITLAB, "pipeline_source", "external_pull_request_event"),
    (Service.GITLAB, "pipeline_source", "parent_pipeline"),
    (Service.GITLAB, "ref_path", "refs/heads/other"),
    (Service.GITLAB, "ref_path", "refs/merge-requests/7/head"),
    (Service.GITLAB, "ci_config_ref_uri", "gitlab.com/acme/sdk//evil.yml@refs/heads/main"),
    (Service.GITLAB, "ci_config_ref_uri", "gitlab.com/acme/shared//.gitlab-ci.yml@refs/heads/main"),
    (Service.GITLAB, "ci_config_ref_uri", "https://evil.example/.gitlab-ci.yml"),
    (Service.GITLAB, "environment", "PRODUCTION"),
]


@pytest.mark.parametrize(("service", "claim", "said"), WRONG)
def test_a_wrong_claim_is_named_and_what_was_wanted_is_not(service: Service, claim: str, said: str) -> None:
    mismatch = match(PUBLISHERS[service], token(service, **{claim: said}))
    assert mismatch is not None
    assert (mismatch.claim, mismatch.said) == (claim, said)
    assert mismatch.wanted not in str(mismatch).replace(repr(said), "")


@pytest.mark.parametrize(("service", "claim"), sorted({(service, claim) for service, claim, _ in WRONG}))
@pytest.mark.parametrize("said", [None, "", 7, ["acme/sdk"], "x" * 2000])
def test_a_claim_that_says_nothing_matches_nothing(service: Service, claim: str, said: object) -> None:
    mismatch = match(PUBLISHERS[service], token(service, **{claim: said}))
    assert mismatch is not None
    assert "is missing" in str(mismatch)


def test_githubs_names_have_no_case() -> None:
    shouted = "ACME/SDK/.github/workflows/release.yml@refs/heads/main"
    claims = {"workflow_ref": shouted, "job_workflow_ref": shouted, "environment": "Production"}
    assert match(GITHUB_PUBLISHER, token(Service.GITHUB, repository="ACME/SDK", **claims)) is None


def test_any_job_is_believed_where_no_environment_is_named() -> None:
    anywhere = msgspec.structs.replace(GITHUB_PUBLISHER, environment=None)
    assert match(anywhere, token(Service.GITHUB, environment=None)) is None


def test_a_company_s_own_gitlab_may_be_below_a_path() -> None:
    ours = msgspec.structs.replace(GITLAB_PUBLISHER, issuer="https://example.com:8443/git")
    uri = "example.com:8443/git/acme/sdk//.gitlab-ci.yml@refs/heads/main"
    assert match(ours, token(Service.GITLAB, ci_config_ref_uri=uri)) is None


@pytest.mark.parametrize(
    ("service", "changed", "complaint"),
    [
        (Service.GITHUB, {"owner_id": None}, "needs `owner_id`"),
        (Service.GITLAB, {"repository_id": None}, "needs `repository_id`"),
        (Service.GITHUB, {"workflow": "../release.yml"}, "named by its file alone"),
        (Service.GITHUB, {"refs": ()}, "name the refs"),
        (Service.GITHUB, {"refs": ("*",)}, "no pattern of branches or tags"),
        (Service.GITHUB, {"refs": ("refs/pull/*",)}, "no pattern of branches or tags"),
        (Service.GITHUB, {"roles": frozenset({Role.ADMIN})}, "and no other"),
        (Service.GITHUB, {"roles": frozenset()}, "and no other"),
        (Service.GITHUB, {"issuer": "http://github.example"}, "is not https"),
    ],
)
def test_a_publisher_that_believes_too_much_is_refused(
    service: Service, changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(Invalid, match=complaint):
        check_publisher(msgspec.structs.replace(PUBLISHERS[service], **changed))


def test_a_pipeline_has_a_name_that_fits_the_audit_trail() -> None:
    assert pipeline_name(GITHUB_PUBLISHER, token(Service.GITHUB)) == "github:acme/sdk:release.yml@refs/heads/main"
    assert (
        pipeline_name(GITLAB_PUBLISHER, token(Service.GITLAB)) == "gitlab:acme/sdk:.gitlab-ci.yml@refs/heads/main"
    )
    own = msgspec.structs.replace(GITHUB_PUBLISHER, issuer="https://ci.example.com/github")
    named = "github:ci.example.com/github:acme/sdk:release.yml@refs/heads/main"
    assert pipeline_name(own, token(Service.GITHUB)) == named
    long = [
        pipeline_name(GITHUB_PUBLISHER, token(Service.GITHUB, ref=f"refs/heads/{'x' * 99}{i}")) for i in (1, 2)
    ]
    assert [len(name) for name in long] == [100, 100]
    assert long[0] != long[1]


def asked(**changed: Any) -> SetPublisher:
    fields: dict[str, Any] = {
        "name": "sdk-release",
        "service": Service.GITHUB,
        "repository": "acme/sdk",
        "owner_id": "65",
        "workflow": "release.yml",
        "environment": None,
        "refs": ("refs/tags/v*",),
        "products": ("posthog-*",),
        "reason": "no more secrets",
    }
    return SetPublisher(**{**fields, **changed})


@pytest.mark.anyio
async def test_publishers_are_set_listed_and_removed_by_audited_changes(plane: Plane) -> None:
    view = await perform(plane, ADMIN, asked(), TERMS)
    assert (view.issuer, view.roles, view.products) == (ISSUERS[Service.GITHUB], (Role.PUBLISHER,), ("posthog-*",))
    assert (await perform(plane, ADMIN, ListPublishers(), TERMS)).items == (view,)
    remove = RemovePublisher(name="sdk-release", reason="gone")
    again = Terms(key="once")
    assert await perform(plane, ADMIN, remove, again) == view
    assert await perform(plane, ADMIN, remove, again) == view  # a retry is told the same
    with pytest.raises(NotFound, match="no publisher 'sdk-release'"):
        await perform(plane, ADMIN, remove, TERMS)
    async with plane.control.ledger.reading() as reading:
        trail = [open_row(row) async for row in reading.trail()]
    assert [(entry.verb, entry.subject, entry.actor, entry.reason) for entry in trail] == [
        ("publisher-set", "sdk-release", "ada@example.com", "no more secrets"),
        ("publisher-remove", "sdk-release", "ada@example.com", "gone"),
    ]


@pytest.mark.anyio
async def test_nobody_lets_a_pipeline_do_what_they_may_not(plane: Plane) -> None:
    narrow = Caller("nia@example.com", Grant(roles=frozenset({Role.ADMIN}), products=("posthog-js",)))
    await perform(plane, ADMIN, asked(), TERMS)
    for change in (
        asked(name="new"),
        asked(products=("posthog-js",)),
        RemovePublisher(name="sdk-release"),
    ):
        with pytest.raises(NotAllowed, match="may not give or take"):
            await perform(plane, narrow, change, TERMS)
    await perform(plane, narrow, asked(name="hers", products=("posthog-js",)), TERMS)
    publisher = Caller("token:ci", Grant(roles=frozenset({Role.PUBLISHER})))
    with pytest.raises(NotAllowed, match="needs the role admin"):
        await perform(plane, publisher, asked(), TERMS)
