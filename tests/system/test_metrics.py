"""What Prometheus sees of an origin, on the probes' port alone."""

from pathlib import Path

import httpx

from tests.support.processes import origin


def test_requests_the_cache_the_store_and_the_snapshot_are_counted(released_data: Path) -> None:
    with origin(released_data) as process, httpx.Client(base_url=process.url) as client:
        ready = httpx.get(f"{process.probes}/readyz").text
        for _ in range(3):
            client.get("/sdk@1.0.0/sdk.js").raise_for_status()
        client.get("/sdk@9.9.9/sdk.js")
        client.get("/sdk@stable/sdk.js")
        client.get("/t/acme/sdk.json")
        client.get("/nothing")
        for sample, count in (
            ('requests_total{status="200",url_class="exact"}', 3),
            ('requests_total{status="404",url_class="exact"}', 1),
            ('requests_total{status="302",url_class="moving"}', 1),
            ('requests_total{status="200",url_class="tenant"}', 1),
            ('requests_total{status="404",url_class="other"}', 1),
            ('bodies_total{result="stored"}', 1),
            ('bodies_total{result="hit"}', 1),
            ("answers_sent_again_total", 1),
            ('store_reads_total{kind="manifest"}', 2),
            ('store_reads_total{kind="blob"}', 1),
            ("snapshots_refused_total", 0),
            ("snapshot_revision", float(ready.split()[-1])),
        ):
            assert process.count(f"headrace_origin_{sample}") == count, sample
        assert process.count("headrace_origin_cache_bytes") > 0
        assert process.count("headrace_origin_snapshot_adopted_timestamp_seconds") > 1e9
        assert client.get("/metrics").status_code == 404
