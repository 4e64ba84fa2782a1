"""The list of a build's artifacts."""

import json
from typing import Any

import pytest

from bundles.core.compress import Encoding
from bundles.core.digest import digest_of, integrity_of
from bundles.core.errors import Failed
from bundles.core.manifest import Artifact, Manifest, Variant, decode_manifest, encode_manifest
from bundles.core.names import ArtifactPath, Product
from bundles.core.version import Version

SDK, ONE = Product("sdk"), Version("1.0.0")


def artifact(path: str, data: bytes = b"data") -> Artifact:
    identity = Variant(Encoding.IDENTITY, digest_of(data), len(data))
    smaller = Variant(Encoding.BR, digest_of(data + b"br"), 1)
    return Artifact(ArtifactPath(path), "text/plain", integrity_of(data), (identity, smaller))


MANIFEST = Manifest(SDK, ONE, (artifact("a.js"), artifact("b/c.js")))


def test_a_manifest_survives_its_bytes_and_they_are_canonical() -> None:
    encoded = encode_manifest(MANIFEST)
    assert decode_manifest(encoded, SDK, ONE) == MANIFEST
    assert encode_manifest(decode_manifest(encoded, SDK, ONE)) == encoded
    assert json.dumps(json.loads(encoded), sort_keys=True, separators=(",", ":")).encode() == encoded


@pytest.mark.parametrize(("product", "version"), [("other", "1.0.0"), ("sdk", "1.0.1")])
def test_the_manifest_of_another_build_is_refused(product: str, version: str) -> None:
    with pytest.raises(Failed, match=r"is that of sdk@1\.0\.0"):
        decode_manifest(encode_manifest(MANIFEST), Product(product), Version(version))


def damaged() -> list[Any]:
    """Manifests that no publish would write, each with one fault."""

    def with_(change: str) -> Any:
        document = json.loads(encode_manifest(MANIFEST))
        first = document["artifacts"][0]
        exec(change, {"d": document, "a": first})
        return pytest.param(document, id=change)

    return [
        with_(change)
        for change in (
            "d['artifacts'].reverse()",
            "d['artifacts'].append(d['artifacts'][-1])",
            "d['artifacts'].clear()",
            "d['version'] = 'one'",
            "d['product'] = '../sdk'",
            "a['path'] = '../a.js'",
            "a['path'] = '/a.js'",
            "a['variants'].pop(0)",
            "a['variants'].append(a['variants'][1])",
            "a['variants'].clear()",
            "a['variants'][0]['digest'] = '../../../../etc/passwd'",
            "a['variants'][0]['digest'] = a['variants'][0]['digest'].upper()",
            "a['variants'][0]['size'] = -1",
            "a['variants'][0]['size'] = '4'",
            "a['variants'][1]['encoding'] = 'rot13'",
            "del a['integrity']",
        )
    ]


@pytest.mark.parametrize("document", damaged())
def test_what_no_publish_would_write_is_refused(document: Any) -> None:
    with pytest.raises(Failed, match=r"damaged|is that of"):
        decode_manifest(json.dumps(document).encode(), SDK, ONE)
