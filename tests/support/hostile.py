"""What an attacker sends: paths that lead elsewhere, and requests that end in two places. The same each time."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

_BASES = (
    "/",
    "/sdk@1.0.0/",
    "/sdk@1.0.0/lib/",
    "/sdk@stable/",
    "/sdk@^1/",
    "/@acme/menu@1.0.0/",
    "/t/acme/sdk/",
    "/t/acme~staging/sdk/",
    "/t/",
    "//",
    "/sdk@",
    "http://x/sdk@1.0.0/",
)
_DOTS = (
    "..", "%2e%2e", "%2E.", ".%2e", "%252e%252e", "%25%32%65%25%32%65", "%c0%ae%c0%ae", "%e0%80%ae%e0%80%ae",
    "%f0%80%80%ae%f0%80%80%ae", "%uff0e%uff0e", "%ef%bc%8e%ef%bc%8e", "%e2%80%a5", "..;", "..%00", "..%0d%0a",
    "....", "...", ". .", "%2e%2e%20", "..%09", ".%00.", "%ff%fe..", "..%c2%a0",
)  # fmt: skip
_SLASHES = (
    "/", "//", "%2f", "%2F", "%252f", "%25%32%66", "\\", "%5c", "%255c", "%c0%af", "%c1%9c", "%e0%80%af", "/./",
    "%2f%2f", "%ef%bc%8f", "%e2%88%95", "%u2215", ";/", "/%2e/", "%00/", "?/", "%3f/", "%23/",
)  # fmt: skip
_DEPTHS = (1, 2, 3, 5, 9, 40)
_ENDS = (
    "", "%00", "%00.js", ".js", "%20", ".", "/", "::$DATA", "?a", "%0d%0aX-Odd:%20y", "~", ".bak", ";.js",
    "%2500",
)  # fmt: skip
_ABSOLUTE = (
    "/etc/passwd", "//etc/passwd", "file:///etc/passwd", "C:\\windows\\win.ini", "C:%5cboot.ini", "c|/boot.ini",
    "\\\\host\\share", "%5c%5chost%5cshare", "//?/C:/x", "/proc/self/environ", "/proc/self/root", "/dev/stdin",
    "con", "nul.js", "aux", ".git/config", ".env", "%2fproc%2fself%2fcwd",
)  # fmt: skip


def traversals(folder: Path, secret: str, count: int) -> Iterator[bytes]:
    """So many different targets, of which none may show a file: those of this name, or those beside the store."""
    chance = random.Random(22)
    wanted = (
        secret, f"data/{secret}", "keys/signing.pem", "store/blobs", "control.db", "snapshots/routing.json",
        "link/" + secret, str(folder / secret), str(folder / secret).lstrip("/"), "store/builds/sdk/1.0.0.json",
        "etc/passwd",
    )  # fmt: skip
    made: set[bytes] = set()
    for base, absolute, end in itertools.product(_BASES, (*_ABSOLUTE, *wanted), _ENDS):
        made.add(_sent(base + absolute + end))
    while len(made) < count:
        steps = [(chance.choice(_DOTS), chance.choice(_SLASHES)) for _ in range(chance.choice(_DEPTHS))]
        if chance.random() < 0.5:  # most often an attacker stays with one trick
            steps = steps[:1] * len(steps)
        climb = "".join(dots + slash for dots, slash in steps)
        target = chance.choice(_BASES) + climb + chance.choice(wanted) + chance.choice(_ENDS)
        made.add(_sent(chance.choice((target, target, target, target.replace("e", "%65"), "é" + target))))
    for length in (1_000, 8_100, 8_192, 8_193, 30_000, 70_000):
        made.add(_sent("/sdk@1.0.0/" + "../" * (length // 3) + secret))
        made.add(_sent("/" + "a" * length))
    yield from sorted(made)


SMUGGLED = b"GET /sdk@1.0.0/data.json HTTP/1.1\r\nHost: x\r\n\r\n"

_LINES = (
    b"GET /sdk@1.0.0/sdk.js HTTP/1.1", b"POST /sdk@1.0.0/sdk.js HTTP/1.1", b"HEAD /sdk@stable/sdk.js HTTP/1.1",
    b"OPTIONS * HTTP/1.1", b"GET http://x/sdk@1.0.0/sdk.js HTTP/1.1", b"GET http://x HTTP/1.1",
    b"CONNECT x:443 HTTP/1.1", b"CONNECT /sdk@1.0.0/sdk.js HTTP/1.1", b"TRACE /sdk@1.0.0/sdk.js HTTP/1.1",
    b"GET /sdk@1.0.0/sdk.js HTTP/1.0", b"GET /sdk@1.0.0/sdk.js", b"GET /sdk@1.0.0/sdk.js HTTP/0.9",
    b"GET /sdk@1.0.0/sdk.js HTTP/2.0", b"PRI * HTTP/2.0\r\n\r\nSM", b"GET /sdk@1.0.0/sdk.js HTTP/1.10",
    b"GET /sdk@1.0.0/sdk.js http/1.1", b"get /sdk@1.0.0/sdk.js HTTP/1.1", b"GET  /sdk@1.0.0/sdk.js HTTP/1.1",
    b"GET\t/sdk@1.0.0/sdk.js\tHTTP/1.1", b" GET /sdk@1.0.0/sdk.js HTTP/1.1",
    b"\r\nGET /sdk@1.0.0/sdk.js HTTP/1.1", b"GET /sdk@1.0.0/sdk.js HTTP/1.1 ",
    b"GET /sdk@1.0.0/sdk.js HTTP/1.1\r\n ", b"GET /a b HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET /\xff HTTP/1.1",
    b"GET /sdk@1.0.0/sdk.js#x HTTP/1.1", b"GET sdk.js HTTP/1.1", b"GET ftp://x/y HTTP/1.1",
    b"GET //x/y HTTP/1.1", b"GET http://a@b/ HTTP/1.1", b"GE\x00T / HTTP/1.1", b"\x16\x03\x01\x02\x00\x01",
    b"GET /sdk@1.0.0/sdk.js HTTP/1.1\n", b"GET /sdk@1.0.0/sdk.js HTTP/1.1\rX: y",
    b"PUT /sdk@1.0.0/sdk.js HTTP/1.1", b"M-SEARCH * HTTP/1.1", b"FOO /sdk@1.0.0/sdk.js HTTP/1.1",
    b"GET /sdk@1.0.0/sdk.js HTTP/1.1\x0b", b"", b"\r\n\r\n",
)  # fmt: skip
# Somebody reads a body from each of these, or a line's end where there is none.
_CLAIMS = (
    b"Content-Length: %d" % len(SMUGGLED), b"Content-Length: 5", b"Content-Length: +5", b"Content-Length: -1",
    b"Content-Length: 5, 5", b"Content-Length: 0, 5", b"Content-Length: 0x5", b"Content-Length: 5 0",
    b"Content-Length:", b"Content-Length: 99999999999999999999999", b"Content-Length : 5",
    b"Content-Length\t: 5", b" Content-Length: 5", b"Content-Length: \x0b5", b"Content-Length: 5\x00",
    b"content-length: 6", b"Content-Length: 1e1", b"Content-Length: \xb2", b"Content-Length:\n5",
    b"X: y\r\n Content-Length: 5", b"X: y\nContent-Length: 5", b"X: y\rContent-Length: 5",
    b"Content-Length\x00: 5", b"\x00Content-Length: 5", b"Content-Length: 0\r\nContent-Length: 0",
    b"Content-Length: 0\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding : chunked", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding: cHuNkEd",
    b"transfer-encoding: chunked", b"TRANSFER-ENCODING:chunked", b"Transfer-Encoding:",
    b"Transfer-Encoding:\r\n chunked", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding",
    b"X: y\r\n\tTransfer-Encoding: chunked", b"X: y\nTransfer-Encoding: chunked",
    b"Transfer-Encoding ;: chunked", b"Transfer-Encoding: chunked;q=1", b"Transfer-\xc5\xbfncoding: chunked",
)  # fmt: skip
_FIELDS = (
    b"Content-Length: 0", b"Content-Length: 00000000000000000000", b"TE: trailers", b"Trailer: Content-Length",
    b"Expect: 100-continue", b"Expect: 200-ok", b"Upgrade: h2c", b"Upgrade: websocket",
    b"Connection: upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQAAP__", b"Connection: close",
    b"Connection: keep-alive", b"Connection: content-length", b"Connection: transfer-encoding, close",
    b"Connection: host", b"Connection: accept-encoding, x-forwarded-for", b"Proxy-Connection: keep-alive",
    b"Keep-Alive: timeout=9", b"Host: y", b"Host: x/y", b"Host: a b", b"Host: a@b", b"Host:", b"host : y",
    b"NoColon", b": empty", b"Bad Name: x", b"X: \x01", b"X: \x7f", b"X: \xe9", b"X: " + b"y" * 9_000,
    b"X-HTTP-Method-Override: PUT", b"X-Original-URL: /sdk@1.0.0/data.json",
    b"X-Rewrite-URL: /sdk@1.0.0/data.json", b"Range: bytes=0-0", b"If-None-Match: *", b"Accept-Encoding: br",
)  # fmt: skip
_BODIES = (
    b"", b"hello", SMUGGLED, b"0\r\n\r\n" + SMUGGLED, b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    b"5;a=b\nhello\r\n0\r\n\r\n", b"5;a=\"\r\n0\r\n\r\n" + SMUGGLED, b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n" + SMUGGLED,
    b"5\r\nhelloXX0\r\n\r\n" + SMUGGLED, b"ffffffffffffffff1\r\nh", b"0\r\nHost: y\r\n\r\n" + SMUGGLED, b"\r\n",
    b"\n", b"\r", b"0\r\n\rX\n", b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n",
)  # fmt: skip


def claims_of_bodies(count: int) -> Iterator[bytes]:
    """So many different requests that nobody may answer but with a refusal, whatever stands in their bodies."""
    chance = random.Random(9112)
    made: set[bytes] = set()
    while len(made) < count:
        fields = [chance.choice(_CLAIMS), *chance.sample((*_CLAIMS, *_FIELDS), chance.randrange(3))]
        chance.shuffle(fields)
        method = chance.choice((b"GET", b"POST", b"OPTIONS", b"PUT", b"DELETE"))
        lines = [
            method + b" /sdk@1.0.0/sdk.js HTTP/1." + chance.choice((b"1", b"1", b"0")),
            b"Host: x",
            *fields,
            b"",
            b"",
        ]
        made.add(b"\r\n".join(lines) + chance.choice(_BODIES))
    yield from sorted(made)


def odd_requests(count: int) -> Iterator[bytes]:
    """So many different requests without a body, most of them malformed."""
    chance = random.Random(9110)
    made = {b"\r\n".join([line, b"Host: x", field, b"", b""]) for line in _LINES for field in _FIELDS}
    while len(made) < count:
        fields = chance.sample(_FIELDS, chance.randrange(4))
        lines = [chance.choice(_LINES), *chance.choice([[b"Host: x"]] * 5 + [[]]), *fields, b"", b""]
        request = chance.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r")).join(lines)
        made.add(_mutated(request, chance) if chance.random() < 0.5 else request)
    yield from sorted(made)


def _mutated(request: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(request) + 1)
    odd = chance.choice((b"\x00", b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\xff", b"\x0b", b",", b""))
    return request[:at] + odd + request[at + chance.randrange(2) :]


def _sent(target: str) -> bytes:
    return target.encode()
