"""What CI systems say of the build that runs in them, by their documented environment variables."""

from collections.abc import Mapping

import msgspec

from bundles.core.errors import Invalid
from bundles.core.provenance import Source, parse_builder, parse_repository


class Surroundings(msgspec.Struct, frozen=True):
    """The source that a CI job was started for, and the job's own URL."""

    source: Source = Source()
    builder: str | None = None


def surroundings(environ: Mapping[str, str]) -> Surroundings:
    """Of GitHub Actions and GitLab CI/CD; empty elsewhere. Raises `Invalid` for what can't be recorded."""
    try:
        if environ.get("GITHUB_ACTIONS") == "true":
            return _github(environ)
        if environ.get("GITLAB_CI") == "true":
            return _gitlab(environ)
    except Invalid as error:
        raise Invalid(
            f"from the CI system's environment: {error}; --source-repository, --commit and --builder go before it"
        ) from None
    return Surroundings()


def _github(environ: Mapping[str, str]) -> Surroundings:
    repository = f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}"
    run = f"{repository}/actions/runs/{environ.get('GITHUB_RUN_ID', '')}"
    attempt = environ.get("GITHUB_RUN_ATTEMPT", "1")
    return _found(repository, environ.get("GITHUB_SHA"), f"{run}/attempts/{attempt}")


def _gitlab(environ: Mapping[str, str]) -> Surroundings:
    return _found(environ.get("CI_PROJECT_URL", ""), environ.get("CI_COMMIT_SHA"), environ.get("CI_JOB_URL", ""))


def _found(repository: str, commit: str | None, builder: str) -> Surroundings:
    return Surroundings(Source(parse_repository(repository), commit), parse_builder(builder))
