"""What a URL's path asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.errors import Invalid
from origin.core.target import ExactFile, MovingFile, TenantFile, TenantResolution, parse_target


@pytest.mark.parametrize(
    ("path", "product", "version", "file"),
    [
        ("/sdk@1.2.3/a.js", "sdk", "1.2.3", "a.js"),
        ("/sdk@1.2.3-rc.1/lib/a.js", "sdk", "1.2.3-rc.1", "lib/a.js"),
        ("/@acme/menu@1.0.0/menu.json", "@acme/menu", "1.0.0", "menu.json"),
        ("/sdk@1.2.3/a@2.js", "sdk", "1.2.3", "a@2.js"),
    ],
)
def test_exact_urls(path: str, product: str, version: str, file: str) -> None:
    target = parse_target(path)
    assert isinstance(target, ExactFile)
    assert (target.product, target.version, target.path) == (product, version, file)


@pytest.mark.parametrize(
    ("path", "channel", "range_"),
    [
        ("/sdk@stable/a.js", "stable", None),
        ("/sdk@2/a.js", "2", "2"),
        ("/sdk@^1.2/a.js", None, "^1.2"),
        ("/sdk@>=1 <3/a.js", None, ">=1 <3"),
        ("/sdk@x/a.js", None, "x"),
        ("/@acme/menu@~1/a.js", None, "~1"),
    ],
)
def test_moving_urls(path: str, channel: str | None, range_: str | None) -> None:
    target = parse_target(path)
    assert isinstance(target, MovingFile)
    assert (target.channel, target.range.text if target.range else None) == (channel, range_)


def test_tenant_urls() -> None:
    file = parse_target("/t/acme/sdk/lib/a.js")
    assert isinstance(file, TenantFile)
    assert (file.tenant, file.environment, file.product, file.path) == ("acme", "production", "sdk", "lib/a.js")
    staging = parse_target("/t/acme~staging/@acme/menu/a.json")
    assert isinstance(staging, TenantFile)
    assert (staging.environment, staging.product, staging.path) == ("staging", "@acme/menu", "a.json")
    resolution = parse_target("/t/acme~dev/@acme/menu.json")
    assert isinstance(resolution, TenantResolution)
    assert (resolution.tenant, resolution.environment, resolution.product) == ("acme", "dev", "@acme/menu")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/sdk",
        "/sdk/a.js",
        "/sdk@1.2.3",
        "/sdk@1.2.3/",
        "/sdk@/a.js",
        "/@1.2.3/a.js",
        "/sdk@1.2.3/../a.js",
        "/sdk@1.2.3//etc/passwd",
        "/sdk@1.2.3/a\x00.js",
        "/sdk@^^1/a.js",
        "/../sdk@1.2.3/a.js",
        "//sdk@1.2.3/a.js",
        "/t/",
        "/t/acme",
        "/t/acme/sdk",
        "/t/acme/sdk/",
        "/t/acme~/sdk/a.js",
        "/t/acme~Prod/sdk/a.js",
        "/t/~staging/sdk/a.js",
        "/t/a b/sdk/a.js",
        "/t/acme/.json",
        "/t/acme/sdk/../../a",
        "/t/acme\r\nx: y/sdk/a.js",
    ],
)
def test_what_is_no_url_of_the_origin(path: str) -> None:
    with pytest.raises(Invalid):
        parse_target(path)


@given(st.text(st.sampled_from("/@~.t1x^\x00%- ") | st.characters(), max_size=40).map("/".__add__))
def test_any_path_is_a_target_or_refused_and_never_a_crash(path: str) -> None:
    try:
        target = parse_target(path)
    except Invalid:
        return
    assert not isinstance(target, TenantResolution) or path.endswith(".json")
