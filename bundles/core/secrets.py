"""What must never be on a public CDN: keys, tokens, and the files that hold them.

The forms are those that their issuers publish, so that a scanner can know them by their prefix. Keys that are made
to be in pages are not among them: Google's browser keys (`AIza`), Stripe's `pk_`, PostHog's `phc_`.
"""

import re

import msgspec

from bundles.core.names import ArtifactPath

MAX_FINDINGS = 20


class Finding(msgspec.Struct, frozen=True):
    """Where a secret is, and of what kind; never the secret. `line` is None where the file's name says it."""

    path: ArtifactPath
    kind: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path!r}{'' if self.line is None else f' line {self.line}'} ({self.kind})"


_NAMES = re.compile(
    r"(?:.*/)?(?:\.env(?!\.(?:example|sample|template)$)(?:\.[^/]*)?|\.npmrc|\.yarnrc\.yml|\.netrc|\.pypirc|\.htpasswd"
    r"|\.pgpass|\.git-credentials|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]*\.(?:p12|pfx|jks|keystore|tfstate))"
    r"|(?:.*/)?\.(?:git|svn|hg|aws|ssh|gnupg)/.*",
    re.IGNORECASE,
)

# A marker alone is no key: libraries that read keys hold it as text.
_PRIVATE_KEY = (
    rb"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|\s){1,4}[A-Za-z0-9+/=:, .\\-]{40}"
)

_KINDS: dict[str, bytes] = {
    "private key": _PRIVATE_KEY,
    "age secret key": rb"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "AWS access key id": rb"(?:AKIA|ASIA)[A-Z2-7]{16}",
    "GitHub token": rb"(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})",
    "GitLab token": rb"glpat-[A-Za-z0-9_-]{20,}",
    "npm token": rb"npm_[A-Za-z0-9]{36}",
    "PyPI token": rb"pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "Slack token": rb"xox[abposr]-[0-9]{8,}-[A-Za-z0-9-]{10,}",
    "Slack webhook": rb"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}",
    "Stripe key": rb"(?:sk|rk)_live_[A-Za-z0-9]{20,}",
    "SendGrid key": rb"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "Google OAuth secret": rb"GOCSPX-[A-Za-z0-9_-]{28}",
    "OpenAI key": rb"sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}",
    "Anthropic key": rb"sk-ant-[a-z0-9]{3,8}-[A-Za-z0-9_-]{80,}",
    "DigitalOcean token": rb"do[opr]_v1_[a-f0-9]{64}",
    "Shopify token": rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "Azure storage key": rb"AccountKey=[A-Za-z0-9+/]{86}==",
    "Vault token": rb"hvs\.[A-Za-z0-9_-]{90,}",
    "Sentry token": rb"sntrys_[A-Za-z0-9+/=_-]{60,}",
    "Linear key": rb"lin_api_[A-Za-z0-9]{40}",
    "Grafana token": rb"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
}
# Words that each kind must hold. To look for them first is what keeps a scan fast: few files have any.
_WORDS = re.compile(
    rb"PRIVATE KEY|AGE-SECRET-KEY-1|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|npm_|pypi-|xox[abposr]-"
    rb"|hooks\.slack\.com|[sr]k_live_|SG\.|GOCSPX-|T3BlbkFJ|sk-ant-|do[opr]_v1_|shp(?:at|ca|pa|ss)_|AccountKey=|hvs\.|sntrys_"
    rb"|lin_api_|glsa_"
)
_PATTERNS = [
    (kind, re.compile(rb"(?<![A-Za-z0-9_])" + pattern if kind != "private key" else pattern))
    for kind, pattern in _KINDS.items()
]


def find_secrets(path: ArtifactPath, data: bytes) -> tuple[Finding, ...]:
    """At most 20 secrets of one file: by its name, and by what it holds, in UTF-8 or UTF-16 text."""
    if _NAMES.fullmatch(path):
        return (Finding(path, "a file of secrets by its name"),)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode()
    if _WORDS.search(data) is None:
        return ()
    found = {(match.start(), kind) for kind, pattern in _PATTERNS for match in _some(pattern, data)}
    return tuple(
        Finding(path, kind, data.count(b"\n", 0, start) + 1) for start, kind in sorted(found)[:MAX_FINDINGS]
    )


# With the beginning of a map: some libraries hold the words alone, to make such comments themselves.
_INLINE_SOURCE_MAP = re.compile(
    rb"[/*][#@]\s*sourceMappingURL=data:[^,\s]{0,100},(?:[A-Za-z0-9+/%=_-]{4}|\{\s*\\?\")"
)
# What may come before the JSON: a byte order mark, and a line that keeps it from running as a script.
_JSON_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?(?:\)\]\}[^\n]{0,100}\n)?\s*\{")
_SOURCE_MAP_MEMBERS = (re.compile(rb'"version"\s*:\s*3\s*[,}]'), re.compile(rb'"mappings"\s*:\s*"'))


def has_source_map(data: bytes) -> bool:
    """True for what is a source map whatever its name, and for a script or style sheet that carries one along.

    ECMA-426: a JSON object with `version` 3 and `mappings`; a `sourceMappingURL` comment with a `data:` URL.
    """
    if _JSON_OBJECT.match(data) and all(member.search(data) for member in _SOURCE_MAP_MEMBERS):
        return True
    return bool(_INLINE_SOURCE_MAP.search(data))


def _some(pattern: re.Pattern[bytes], data: bytes) -> list[re.Match[bytes]]:
    matches = pattern.finditer(data)
    return [match for match, _ in zip(matches, range(MAX_FINDINGS), strict=False)]
