"""Secrets in what would be public: found by kind and line, never shown, and rarely where there are none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.core.names import ArtifactPath
from bundles.core.secrets import MAX_FINDINGS, find_secrets, has_source_map

A36 = "Ab3" * 12
PEM_BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
# Joined here, so that this file holds none.
SECRETS = {
    "private key": "-----BEGIN " + f"RSA PRIVATE KEY-----\n{PEM_BODY}",
    "private key in a string": "-----BEGIN " + f"PRIVATE KEY-----\\n{PEM_BODY}",
    "OpenSSH private key": "-----BEGIN " + f"OPENSSH PRIVATE KEY-----\n{PEM_BODY}",
    "age secret key": "AGE-SECRET-" + "KEY-1" + "Q" * 58,
    "AWS access key id": "AKIA" + "ABCDEFGH23456777",
    "GitHub token": "ghp" + "_" + A36,
    "GitHub token of a new kind": "github" + "_pat_" + "A" * 82,
    "GitLab token": "glpat" + "-" + "x" * 20,
    "npm token": "npm" + "_" + A36,
    "PyPI token": "pypi" + "-AgEIcHlwaS5vcmc" + "C" * 60,
    "Slack token": "xoxb" + "-1234567890-abcdefghijkl",
    "Slack webhook": "https://hooks.slack.com" + "/services/T0000000/B0000000/" + "x" * 24,
    "Stripe key": "sk" + "_live_" + "a1" * 12,
    "SendGrid key": "SG" + "." + "a" * 22 + "." + "b" * 43,
    "Google OAuth secret": "GOCSPX" + "-" + "a" * 28,
    "OpenAI key": "sk-proj-" + "a" * 24 + "T3BlbkFJ" + "b" * 24,
    "Anthropic key": "sk-ant-" + "api03-" + "a" * 93,
    "DigitalOcean token": "dop" + "_v1_" + "0a" * 32,
    "Shopify token": "shpat" + "_" + "0a" * 16,
    "Azure storage key": "AccountKey=" + "a" * 86 + "==",
    "Vault token": "hvs" + "." + "a" * 95,
    "Sentry token": "sntrys" + "_" + "a" * 64,
    "Linear key": "lin_api" + "_" + "a" * 40,
    "Grafana token": "glsa" + "_" + "a" * 32 + "_" + "0" * 8,
}
HARMLESS = [
    "-----BEGIN " + "PRIVATE KEY-----",
    'pem.indexOf("-----BEGIN ' + 'PRIVATE KEY-----") === 0 && pem.replace(/-----END',
    "-----BEGIN " + f"PUBLIC KEY-----\n{PEM_BODY}",
    "AIza" + "a" * 35,
    "pk" + "_live_" + "a" * 24,
    "xAKIA" + "ABCDEFGH23456777",
    "AKIA" + "short",
    "ghp" + "_tooshort",
    "SG" + ".init.call(this)",
    "window.npm_" + "config",
]
JS = ArtifactPath("sdk.js")


@pytest.mark.parametrize("kind", SECRETS)
def test_each_kind_is_found_and_never_shown(kind: str) -> None:
    secret = SECRETS[kind]
    data = f'let a = 1;\nlet b = "{secret}";\nlet c;'.encode()
    (finding,) = find_secrets(JS, data)
    assert finding.line == 2
    assert finding.kind in kind or "private key" in kind
    assert secret[-10:] not in repr(finding)
    utf16 = f'let a = 1;\nlet b = "{secret}";'.encode("utf-16")
    assert [found.line for found in find_secrets(JS, utf16)] == [2]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_one_is_not_found(text: str) -> None:
    assert find_secrets(JS, f'x("{text}")'.encode()) == ()


@pytest.mark.parametrize(
    "name",
    [".env", "lib/.env.production", ".npmrc", ".git/config", "a/.ssh/known_hosts", "id_rsa", "x/cert.p12", ".ENV"],
)
def test_files_of_secrets_are_found_by_name(name: str) -> None:
    (finding,) = find_secrets(ArtifactPath(name), b"")
    assert (finding.path, finding.line) == (name, None)


@pytest.mark.parametrize(
    "name", ["env.js", ".env.example", "git/config", "envy", "a.env.js", "keys.js", "id_rsa.js"]
)
def test_other_names_are_not(name: str) -> None:
    assert find_secrets(ArtifactPath(name), b"") == ()


@given(
    st.text("ab {}();=\n", max_size=300), st.text("ab {}();=\n", max_size=300), st.sampled_from(sorted(SECRETS))
)
def test_a_secret_is_found_wherever_it_is(before: str, after: str, kind: str) -> None:
    data = f"{before}'{SECRETS[kind]}'{after}".encode()
    assert [finding.line for finding in find_secrets(JS, data)] == [before.count("\n") + 1]


@given(st.binary(max_size=500))
def test_noise_is_no_fault(data: bytes) -> None:
    find_secrets(JS, data)
    assert not has_source_map(data)


MAP = '{"version":3,"sources":["a.ts"],"sourcesContent":["let a"],"mappings":"AAAA"}'
INLINE = "//# source" + "MappingURL=data:application/json"


@pytest.mark.parametrize(
    "text",
    [
        MAP,
        "\ufeff" + MAP,
        ")]}'\n" + MAP,
        '\n{ "mappings" : ";A", "file": "a.js",\n "version" : 3 }',
        '{"version":3,"sections":[{"offset":{"line":0,"column":0},"map":' + MAP + "}]}",
        f"a;\n{INLINE};base64,eyJ2",
        f"a;\n{INLINE};charset=utf-8;base64,eyJ2",
        f"{{let a}}\n{INLINE},%7B%22version",
        f"a;\n{INLINE}," + MAP,
        "a {}\n/*# source" + "MappingURL=data:application/json;base64,eyJ2 */",
    ],
)
def test_a_source_map_is_found_by_what_it_holds(text: str) -> None:
    assert has_source_map(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"version":3,"layers":[]}',
        '{"version":30,"mappings":""}',
        '{"mappings":{"a":1}}',
        'let a = {"version":3,"mappings":"AAAA"};',
        f'x="{INLINE};base64,".concat(b)',
        f"x=`{INLINE},${{b}}`",
        "//# source" + "MappingURL=sdk.js.map",
    ],
)
def test_what_is_no_source_map_is_not_taken_for_one(text: str) -> None:
    assert not has_source_map(text.encode())


def test_findings_are_bounded() -> None:
    secret = SECRETS["Stripe key"]
    assert len(find_secrets(JS, f'"{secret}"\n'.encode() * 1_000)) == MAX_FINDINGS


def test_real_sdk_builds_have_none() -> None:
    folder = Path(__file__).parents[2] / "headrace" / "demo" / "fallback"
    scripts = list(folder.rglob("*.js"))
    assert scripts
    assert [find_secrets(JS, script.read_bytes()) for script in scripts] == [()] * len(scripts)
