"""What a manifest records of how its build was made."""

import json
from typing import Any

import pytest

from bundles.core.digest import Digest
from bundles.core.errors import Failed, Invalid
from bundles.core.manifest import Manifest, decode_manifest, encode_manifest
from bundles.core.provenance import (
    AttestationRef,
    Input,
    Provenance,
    Sbom,
    Source,
    parse_https_url,
    parse_repository,
    settle_source,
)
from headrace.ci import surroundings
from tests.bundles.test_manifest import MANIFEST, ONE, SDK

A, B = "a" * 40, "b" * 64
HERE, THERE = "https://github.com/acme/sdk", "https://git.acme.example/sdk"
LOCK = Input("package-lock.json", Digest("c" * 64), "d" * 128)
RECORDED = Provenance(
    source=Source(HERE, A),
    builder="https://ci.acme.example/7",
    inputs=(LOCK,),
    attestations=(AttestationRef("https://slsa.dev/provenance/v1", Digest("e" * 64), 12),),
    sbom=Sbom("https://acme.example/sbom.json", Digest("f" * 64)),
)


def test_a_manifest_keeps_its_provenance_and_stays_canonical() -> None:
    manifest = Manifest(SDK, ONE, MANIFEST.artifacts, RECORDED)
    encoded = encode_manifest(manifest)
    assert decode_manifest(encoded, SDK, ONE) == manifest
    assert json.dumps(json.loads(encoded), sort_keys=True, separators=(",", ":")).encode() == encoded


def test_a_manifest_from_before_there_was_provenance_is_read_and_written_as_ever() -> None:
    old = json.loads(encode_manifest(MANIFEST))
    assert set(old) == {"product", "version", "artifacts"}
    assert decode_manifest(json.dumps(old).encode(), SDK, ONE).provenance is None


@pytest.mark.parametrize(
    "change",
    [
        "p['source']['commit'] = 'main'",
        "p['source']['commit'] = p['source']['commit'].upper()",
        "p['source']['repository'] = 'http://github.com/acme/sdk'",
        "p['builder'] = ''",
        "p['builder'] = 'a b'",
        "p['builder'] = 'https://user:word@ci.example'",
        "p['builder'] = 'x' * 2049",
        "p['inputs'][0]['name'] = '../lock'",
        "p['inputs'][0]['name'] = ''",
        "p['inputs'][0]['name'] = 'a\\x1b[0m'",
        "p['inputs'][0]['digest'] = '0'",
        "p['inputs'][0]['sha512'] = '0' * 64",
        "p['inputs'].append(dict(p['inputs'][0], digest='0' * 64))",
        "p['inputs'] = [dict(p['inputs'][0], name=str(n)) for n in range(65)]",
        "p['attestations'][0]['digest'] = '../x'",
        "p['attestations'][0]['size'] = 0",
        "p['attestations'][0]['size'] = 1048577",
        "p['attestations'] *= 2",
        "p['attestations'] = [dict(p['attestations'][0], digest=f'{n:064}') for n in range(17)]",
        "p['sbom']['url'] = 'file:///sbom.json'",
        "p['sbom']['digest'] = 'sha256'",
    ],
)
def test_what_no_publish_would_record_is_refused(change: str) -> None:
    document = json.loads(encode_manifest(Manifest(SDK, ONE, MANIFEST.artifacts, RECORDED)))
    before = json.dumps(document)
    exec(change, {"p": document["provenance"]})
    assert json.dumps(document) != before
    with pytest.raises(Failed, match="damaged"):
        decode_manifest(json.dumps(document).encode(), SDK, ONE)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "github.com/acme/sdk",
        "http://github.com/acme/sdk",
        "https:///sdk",
        "https://",
        "https://token@github.com/acme/sdk",
        "https://user:word@github.com/acme/sdk",
        "https://github.com/a b",
        "https://github.com/a\n",
        "https://github.com/é",
        "https://[::1",
        "https://github.com:port/",
        "https://github.com/" + "a" * 2048,
        "javascript:alert(1)//https://github.com",
    ],
)
def test_what_is_no_public_https_url_is_refused_and_a_password_never_shown(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_https_url(url)
    assert "word" not in str(refused.value).replace("password", "")


def test_a_repository_is_compared_in_one_form() -> None:
    assert parse_repository(f"{HERE}.git") == parse_repository(f"{HERE}/") == HERE


@pytest.mark.parametrize(
    ("given", "attested", "around", "settled"),
    [
        (Source(), [], Source(), Source()),
        (Source(), [], Source(HERE, A), Source(HERE, A)),
        (Source(commit=B), [], Source(HERE, A), Source(HERE, B)),
        (Source(), [Source(THERE, B)], Source(HERE, A), Source(THERE, B)),
        (Source(), [Source(THERE)], Source(HERE, A), Source(THERE)),
        (Source(), [Source()], Source(HERE, A), Source(HERE, A)),
        (Source(THERE, B), [Source(THERE, B)], Source(HERE, A), Source(THERE, B)),
        (Source(commit=A), [Source(THERE)], Source(HERE, B), Source(THERE, A)),
    ],
)
def test_what_is_given_goes_before_what_is_attested_and_that_before_ci(
    given: Source, attested: list[Source], around: Source, settled: Source
) -> None:
    assert settle_source(given, attested, around) == settled


@pytest.mark.parametrize(
    ("given", "attested"),
    [
        (Source(commit=A), [Source(HERE, B)]),
        (Source(HERE), [Source(THERE, B)]),
        (Source(), [Source(HERE, A), Source(HERE, B)]),
    ],
)
def test_a_contradiction_is_refused(given: Source, attested: list[Source]) -> None:
    with pytest.raises(Invalid, match="must agree"):
        settle_source(given, attested, Source())


GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/sdk",
    "GITHUB_SHA": A,
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PROJECT_URL": HERE,
    "CI_COMMIT_SHA": A,
    "CI_JOB_URL": f"{HERE}/-/jobs/7",
}


@pytest.mark.parametrize(
    ("environ", "builder"),
    [(GITHUB, f"{HERE}/actions/runs/7/attempts/2"), (GITLAB, f"{HERE}/-/jobs/7")],
)
def test_ci_systems_say_what_they_build(environ: dict[str, str], builder: str) -> None:
    found = surroundings(environ)
    assert (found.source, found.builder) == (Source(HERE, A), builder)


def test_elsewhere_nothing_is_assumed_and_a_broken_ci_is_named() -> None:
    without: Any = {name: value for name, value in GITHUB.items() if name != "GITHUB_ACTIONS"}
    assert surroundings(without).source == Source()
    with pytest.raises(Invalid, match=r"CI system's environment.*--source-repository"):
        surroundings({**GITLAB, "CI_PROJECT_URL": "http://gitlab.acme.example/sdk"})
