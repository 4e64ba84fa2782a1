"""What a person is shown in a browser: one small page in HTML, without a script, and nothing from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from html import escape

import msgspec

CONTENT_TYPE = "text/html; charset=utf-8"

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;margin:4rem auto;max-width:36rem;padding:0 1rem}"
    "p{overflow-wrap:anywhere}"
    "h1{font-size:1.5rem}code{font-size:1.5rem}small{opacity:.7}a{display:inline-block;margin:0 1.5rem 1rem 0}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    # Who has opened the page in a window of theirs has no hold of it.
    "cross-origin-opener-policy": "same-origin",
}
"""Of every page. No frame holds it, so that no other site has a person click on what they don't see."""

_JSON = ("application/json", "application/problem+json")
_QUALITY = re.compile(r"[01](?:\.[0-9]{0,3})?")


class Link(msgspec.Struct, frozen=True):
    """Where a person can go on."""

    text: str
    url: str


class Shown(msgspec.Struct, frozen=True):
    """A page: its heading, paragraphs, what is to be compared, where to go on, and what is said in small print."""

    title: str
    lines: tuple[str, ...]
    code: str | None = None
    links: tuple[Link, ...] = ()
    note: str | None = None


def to_html(shown: Shown) -> bytes:
    """The page. Whatever text it is given stays text."""
    title = escape(shown.title)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = f"<h1>{title}</h1>{''.join(_parts(shown))}"
    page = f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>\n'
    return page.encode()


def _parts(shown: Shown) -> Iterable[str]:
    yield from (f"<p>{escape(line)}</p>" for line in shown.lines)
    if shown.code is not None:
        yield f"<p><code>{escape(shown.code)}</code></p>"
    if shown.links:
        links = (f'<a href="{escape(each.url)}">{escape(each.text)}</a>' for each in shown.links)
        yield f"<p>{''.join(links)}</p>"
    if shown.note is not None:
        yield f"<p><small>{escape(shown.note)}</small></p>"


def wants_page(accept: str) -> bool:
    """True where `Accept` names HTML, and no JSON before it (RFC 9110, section 12.5.1). `*/*` is any program's."""
    wanted = dict(map(_wanted, accept.split(",")))
    html = wanted.get("text/html", 0.0)
    return html > 0 and all(html >= wanted.get(name, 0.0) for name in _JSON)


def _wanted(part: str) -> tuple[str, float]:
    kind, *parameters = (each.strip().lower() for each in part.split(";"))
    given = next((each.removeprefix("q=") for each in parameters if each.startswith("q=")), "1")
    return kind, float(given) if _QUALITY.fullmatch(given) else 0.0
