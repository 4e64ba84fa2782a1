"""The answer to an instant query of Prometheus' HTTP API, read strictly.

See https://prometheus.io/docs/prometheus/latest/querying/api/, "Instant queries".
"""

from typing import TypeVar

import msgspec

from bundles.core.errors import Invalid
from release.core.codec import UNREADABLE

T = TypeVar("T")

_FEW = 200


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Sample(msgspec.Struct, frozen=True):
    value: tuple[float, str] | None = None


class PrometheusAnswer(msgspec.Struct, frozen=True):
    """What all of its answers have. `warnings` tell of what a result lacks, as that of a store that is away."""

    status: str
    data: _Data | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()

    def value(self) -> float:
        """The one value that it says. Raises `Invalid` where it says anything else."""
        if self.status != "success" or self.data is None:
            raise Invalid(f"says {self.error[:_FEW] or 'that it failed, and not why'}")
        if self.warnings:
            raise Invalid(f"warns: {self.warnings[0][:_FEW]}")
        match self.data.result_type:
            case "scalar":
                return _number(_read(self.data.result, tuple[float, str]))
            case "vector":
                samples = _read(self.data.result, list[_Sample])
                if len(samples) != 1:
                    raise Invalid(f"has {len(samples)} values for the query, not one")
                return _number(samples[0].value)
            case other:
                raise Invalid(f"has a {other[:_FEW]} for the query, not one value")


def _read(raw: msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE:
        raise Invalid("has a result that can't be read") from None


def _number(sample: tuple[float, str] | None) -> float:
    """A sample's value. One of a native histogram has none."""
    if sample is None:
        raise Invalid("has a histogram for the query, not one value")
    try:
        return float(sample[1])
    except ValueError:
        raise Invalid("has a value that is no number") from None
