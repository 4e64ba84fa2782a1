"""What an origin or an edge answers for a released build, by docs/http.md and docs/cloudflare.md."""

import base64
import time
from collections.abc import Iterator, Mapping

from bundles.core.compress import Encoding
from headrace.doctor.clock import judge_date
from headrace.doctor.finding import Finding, failed, ok, skipped
from headrace.doctor.sample import Sample, find_sample
from headrace.doctor.setup import Setup
from headrace.doctor.web import Answer, Place, Web
from origin.core.headers import IMMUTABLE, MOVING, OPEN

_EDGE_ASKS = "br, gzip"  # as Cloudflare does, whatever the browser takes
_SMALL = 64 * 1024
ORIGIN_REMEDY = "compare with docs/http.md: is this the origin's URL, and does nothing in between change headers?"
EDGE_REMEDY = "compare the zone with docs/cloudflare.md: nothing may change headers or encode anew"


async def check_served(setup: Setup, place: Place, remedy: str, *, keys_dictionaries: bool) -> list[Finding]:
    """A moving URL and an exact one, the clock, deltas, and whether strangers are kept out."""
    sample = await find_sample(setup)
    if sample is None:
        return [skipped(place.name, "nothing was released that could be asked for")]
    async with Web.open(place) as web:
        exact = await web.get(sample.exact_url, _most(sample), accept_encoding=_EDGE_ASKS)
        found = [judge_date(f"{place.name}: clock", dict(exact.headers), time.time())]
        moving = await web.get(sample.moving_url, _SMALL, accept_encoding=_EDGE_ASKS)
        found.append(
            _judge(f"{place.name}: moving URL", sample.moving_url, _moving_faults(sample, moving), remedy)
        )
        found.append(_judge(f"{place.name}: exact URL", sample.exact_url, _exact_faults(sample, exact), remedy))
        found.append(await _check_deltas(web, place, sample, keys_dictionaries=keys_dictionaries))
        if place.secret is not None:
            found.append(await _check_door(web, place, sample))
    return found


async def check_ready(place: Place) -> Finding:
    """What the origin says of itself, on the port of its probes."""
    async with Web.open(place) as web:
        answer = await web.get("/readyz", _SMALL)
    said = answer.body[:200].decode("ascii", "replace").strip()
    if answer.status != 200:
        return failed(
            place.name, f"/readyz is {answer.status}: {said}", "see the origin's log (docs/operations.md)"
        )
    if "stale" in said:
        return failed(place.name, said, "start `headrace controller` (docs/snapshots.md)")
    return ok(place.name, said)


def _judge(name: str, url: str, faults: Iterator[str], remedy: str) -> Finding:
    found = list(faults)
    return failed(name, f"{url}: {'; '.join(found)}", remedy) if found else ok(name, f"{url}: as in docs/http.md")


def _moving_faults(sample: Sample, answer: Answer) -> Iterator[str]:
    if answer.status != 302:
        yield f"status {answer.status}, not 302"
        return
    location = answer.headers.get("location", "none")
    if location != sample.exact_url:
        yield f"leads to {location}, and the snapshot says {sample.exact_url}"
    yield from _differences(answer, {**OPEN, "cache-control": MOVING})


def _exact_faults(sample: Sample, answer: Answer) -> Iterator[str]:
    if answer.status != 200:
        yield f"status {answer.status}, not 200"
        return
    variants = {variant.encoding: variant for variant in sample.artifact.variants}
    coding = answer.headers.get("content-encoding", Encoding.IDENTITY)
    if Encoding.BR in variants and coding != Encoding.BR:
        yield f"{coding} where br is the best of '{_EDGE_ASKS}'"
    variant = next((each for each in variants.values() if each.encoding == coding), None)
    if variant is None or answer.digest != variant.digest:
        yield "its bytes are not those of the manifest"
    yield from _differences(answer, {**OPEN, "cache-control": IMMUTABLE})
    if len(variants) > 1 and "accept-encoding" not in answer.headers.get("vary", "").lower():
        yield "no Vary: Accept-Encoding"
    etag = answer.headers.get("etag", "none")
    if variant is not None and etag != f'"{variant.digest}"':
        yield f"ETag {etag[:80]}, not the strong and quoted one of these bytes"


def _differences(answer: Answer, wanted: Mapping[str, str]) -> Iterator[str]:
    for name, value in wanted.items():
        sent = answer.headers.get(name)
        if sent != value:
            yield f"{name} is {'not there' if sent is None else sent[:80]}, not {value}"


async def _check_deltas(web: Web, place: Place, sample: Sample, *, keys_dictionaries: bool) -> Finding:
    """No delta for who has not declared that its cache keys on dictionaries."""
    name = f"{place.name}: deltas"
    if not sample.artifact.deltas:
        return skipped(name, f"{sample.artifact.path} has none")
    digest = base64.b64encode(bytes.fromhex(sample.artifact.deltas[0].dictionary)).decode()
    answer = await web.get(
        sample.exact_url, _most(sample), accept_encoding="dcz, br, gzip", available_dictionary=f":{digest}:"
    )
    coding = answer.headers.get("content-encoding", Encoding.IDENTITY)
    if coding == "dcz" and not keys_dictionaries:
        return failed(
            name,
            "a delta was sent: a cache that does not key on Available-Dictionary gives it to who can't decode it",
            "take --edge-keys-dictionaries from `headrace serve`, or give it here where the edge does key on it",
        )
    return ok(name, f"{coding} for who holds an older build")


async def _check_door(web: Web, place: Place, sample: Sample) -> Finding:
    """The origin answers nobody who lacks the edge's secret."""
    name = f"{place.name}: strangers"
    answer = await web.get(sample.exact_url, _most(sample), with_secret=False)
    if answer.status == 403:
        return ok(name, "403 for who does not send the edge's secret")
    remedy = "start `headrace serve` with --edge-secrets or --client-ca (docs/cloudflare.md)"
    return failed(name, f"{answer.status} for who does not send the edge's secret: they go round the edge", remedy)


def _most(sample: Sample) -> int:
    return sample.artifact.variants[0].size + _SMALL
