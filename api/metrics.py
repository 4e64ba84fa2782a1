"""What the API counts."""

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()

requests = Counter(
    "headrace_api_requests_total",
    "Requests, by operation and status; no operation where the URL is none's.",
    ["operation", "status"],
    registry=REGISTRY,
)
refused_connections = Counter(
    "headrace_api_connections_refused_total",
    "Connections for which there was no room, at all or of their address.",
    registry=REGISTRY,
)
seconds = Histogram(
    "headrace_api_seconds",
    "How long the answers took, by operation.",
    ["operation"],
    registry=REGISTRY,
)
