"""Media types by a file's extension. The table is our own: the operating system's differs by machine."""

_UTF8 = "; charset=utf-8"
_JAVASCRIPT = "text/javascript" + _UTF8  # RFC 9239

_BY_EXTENSION = {
    "js": _JAVASCRIPT,
    "mjs": _JAVASCRIPT,
    "cjs": _JAVASCRIPT,
    "css": "text/css" + _UTF8,
    "html": "text/html" + _UTF8,
    "txt": "text/plain" + _UTF8,
    "md": "text/markdown" + _UTF8,
    "ts": "text/plain" + _UTF8,
    "json": "application/json",
    "map": "application/json",
    "wasm": "application/wasm",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/vnd.microsoft.icon",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "ttf": "font/ttf",
    "otf": "font/otf",
    "xml": "application/xml",
    "pdf": "application/pdf",
}


def content_type_of(path: str) -> str:
    """The `Content-Type` for an artifact at this path."""
    _, dot, extension = path.rsplit("/", 1)[-1].rpartition(".")
    return _BY_EXTENSION.get(extension.lower() if dot else "", "application/octet-stream")
