"""What the API counts."""

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()

requests = Counter(
    "headrace_api_requests_total",
    "Requests, by operation and status; no operation where the URL is none's.",
    ["operation", "status"],
    registry=REGISTRY,
)
seconds = Histogram(
    "headrace_api_seconds",
    "How long the answers took, by operation.",
    ["operation"],
    registry=REGISTRY,
)
