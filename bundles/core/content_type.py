"""Media types: by a file's extension, else by its first bytes.

The tables are our own: the operating system's differ by machine. Text is named by its extension alone, since
script, style and data can't be told apart by their bytes. Images, fonts and other binary formats are named by
their signature (WHATWG MIME Sniffing, sections 6 and 7), which a wrong extension can't change: the origin sends
`nosniff`, so a JPEG that is named `.png` would otherwise be broken for good.
"""

from bundles.core.names import ArtifactPath

_UTF8 = "; charset=utf-8"
_JAVASCRIPT = "text/javascript" + _UTF8  # RFC 9239
_PLAIN = "text/plain" + _UTF8
_BINARY = "application/octet-stream"

_TEXT_BY_EXTENSION = {
    "js": _JAVASCRIPT,
    "mjs": _JAVASCRIPT,
    "cjs": _JAVASCRIPT,
    "css": "text/css" + _UTF8,
    "html": "text/html" + _UTF8,
    "htm": "text/html" + _UTF8,
    "csv": "text/csv" + _UTF8,
    "txt": _PLAIN,
    "md": "text/markdown" + _UTF8,
    "ts": _PLAIN,
    "json": "application/json",
    "map": "application/json",
    "jsonld": "application/ld+json",
    "webmanifest": "application/manifest+json",
    "svg": "image/svg+xml",
    "xml": "application/xml",
}
_BINARY_BY_EXTENSION = {
    "wasm": "application/wasm",
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
    "pdf": "application/pdf",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "webm": "video/webm",
}
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypavis", "image/avif"),
    (0, b"\x00\x00\x01\x00", "image/vnd.microsoft.icon"),
    (0, b"\x00asm", "application/wasm"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"\x00\x01\x00\x00", "font/ttf"),
    (0, b"OTTO", "font/otf"),
    (0, b"%PDF-", "application/pdf"),
)
_TEXT_CONTROLS = frozenset(b"\t\n\f\r\x1b")
_SNIFFED_BYTES = 1445  # WHATWG MIME Sniffing, section 5.2


def content_type_of(path: str, data: bytes) -> str:
    """The `Content-Type` for an artifact at this path with these bytes."""
    _, dot, extension = path.rsplit("/", 1)[-1].rpartition(".")
    extension = extension.lower() if dot else ""
    if extension in _TEXT_BY_EXTENSION:
        return _TEXT_BY_EXTENSION[extension]
    named = _BINARY_BY_EXTENSION.get(extension)
    signed = next((kind for at, magic, kind in _SIGNATURES if data.startswith(magic, at)), None)
    return signed or named or (_PLAIN if _is_text(data[:_SNIFFED_BYTES]) else _BINARY)


def is_source_map(path: str) -> bool:
    """True for a source map by its name, compressed or not; it holds the sources themselves."""
    return path.lower().removesuffix(".gz").removesuffix(".br").removesuffix(".zst").endswith(".map")


def source_map_of(path: ArtifactPath) -> ArtifactPath:
    """Where the source map of a script or style sheet is, if one is published."""
    return ArtifactPath(f"{path}.map")


def _is_text(start: bytes) -> bool:
    """True for UTF-8 without control characters; a character cut off at the end does no harm."""
    if not start or any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in start):
        return False
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True
