"""What tenants report in one stretch of time, weighed so that no tenant alone decides."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from typing import NewType

import msgspec

from bundles.core.errors import Invalid
from release.core.names import Tenant

Fold = NewType("Fold", str)
"""A fold's number, as a JSON document's key can be."""
FOLDS = 64
"""Tenants are dealt into so many folds, and what is concluded must hold without any one of them."""
MOST_SHARE = 0.1
"""The part of what counts of a build in a stretch that one tenant's units may be; of few tenants, twice their even
share.
"""
LEAST_UNITS = 25
"""So many of a tenant's units in a stretch count in full whatever its share."""
PRIOR_ERRORS = 2.0
"""How many errors a tenant's history must hold to count for as much as what is known of all tenants."""


class Report(msgspec.Struct, frozen=True):
    """A tenant's units in one stretch, and those of them that failed. A unit is one page's installation of the
    SDK.
    """

    units: int
    errors: int

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.units:
            raise Invalid(f"of {self.units} units {self.errors} can't have failed")


class Side(msgspec.Struct, frozen=True):
    """One build's part of a stretch: weighed units and errors, and the errors to expect of these units' tenants.

    `exposure` is in errors of an average tenant's unit: units, each times what is known of its tenant's page.
    """

    units: float
    errors: float
    exposure: float
    errors_by_fold: Mapping[Fold, float]


class Stretch(msgspec.Struct, frozen=True):
    """What was reported in one stretch of time, such as a minute, while both builds were in use."""

    candidate: Side
    stable: Side


def fold_of(tenant: Tenant) -> Fold:
    """The tenant's fold, always the same; unlike its bucket it has nothing to do with who gets what."""
    digest = hashlib.blake2b(tenant.encode(), digest_size=1, person=b"headrace fold").digest()
    return Fold(str(digest[0] % FOLDS))


def relative_rates(history: Mapping[Tenant, Report]) -> dict[Tenant, float]:
    """Of each tenant, its error rate with builds before the candidate, divided by that of all tenants.

    It is drawn towards 1 as far as the tenant's history is short (the mean of a gamma distribution's posterior).
    Some pages break every SDK: without this, to have such a tenant among the first would look like the
    candidate's fault.
    """
    units = math.fsum(report.units for report in history.values())
    errors = math.fsum(report.errors for report in history.values())
    if not errors:
        return {}
    rate = errors / units
    return {
        tenant: (report.errors + PRIOR_ERRORS) / (report.units * rate + PRIOR_ERRORS)
        for tenant, report in history.items()
    }


def weigh(reports: Mapping[Tenant, Report], rates: Mapping[Tenant, float]) -> Side:
    """One side of a stretch, with the tenants' relative rates; 1 for a tenant that has none.

    Of a tenant with more than its share of units, each counts for less. Its weight follows from the number of
    units alone and not from what became of them, so a bet that was fair stays fair (Jensen's inequality).
    """
    limit = max(LEAST_UNITS, _most_units([report.units for report in reports.values()]))
    units = errors = exposure = 0.0
    by_fold: dict[Fold, float] = {}
    for tenant, report in reports.items():
        weight = min(1.0, limit / report.units) if report.units else 0.0
        units += weight * report.units
        exposure += weight * report.units * rates.get(tenant, 1.0)
        if report.errors:
            failed = weight * report.errors
            errors += failed
            fold = fold_of(tenant)
            by_fold[fold] = by_fold.get(fold, 0.0) + failed
    return Side(units, errors, exposure, by_fold)


def evened(units: Iterable[int]) -> float:
    """Tenants' units in all, of none of them more than its share of what counts."""
    reported = [count for count in units if count]
    limit = _most_units(reported)
    return math.fsum(min(count, limit) for count in reported)


def _most_units(units: list[int]) -> float:
    """How many of a tenant's units count, so that no tenant's are more than its part of all that count."""
    share = max(MOST_SHARE, 2 / len(units)) if units else 1.0
    rest = math.fsum(units)
    for capped, largest in enumerate(sorted(units, reverse=True)):
        if share * capped >= 1:
            break
        limit = share * rest / (1 - share * capped)
        if largest <= limit:
            return limit
        rest -= largest
    return 0.0
