"""Budgets: how large a build's files may be, or how much they may grow, in br bytes as edges send them."""

import re
from fnmatch import fnmatchcase

import msgspec

from bundles.core.errors import Invalid
from bundles.core.manifest import Artifact, Manifest
from bundles.core.names import ArtifactPath
from bundles.core.size import parse_size

_PERCENT = re.compile(r"\+(\d{1,4}(?:\.\d{1,2})?)%")


class Budget(msgspec.Struct, frozen=True):
    """The most that each artifact whose path matches `pattern` may have, or grow by: in bytes, or in percent.

    `text` is as the user wrote it.
    """

    text: str
    pattern: str
    most: int | None = None
    most_growth: int | None = None
    most_growth_percent: float | None = None

    @property
    def is_of_growth(self) -> bool:
        """True where it needs an earlier build to be measured against."""
        return self.most_growth is not None or self.most_growth_percent is not None

    def matching(self, build: Manifest) -> list[Artifact]:
        """The build's artifacts that it is of. Raises `Invalid` where there are none: it would guard nothing."""
        matching = [artifact for artifact in build.artifacts if fnmatchcase(artifact.path, self.pattern)]
        if not matching:
            raise Invalid(f"the budget for {self.pattern!r} is of no file of this build: mend its pattern")
        return matching

    def excess(self, size: int, before: int | None) -> str | None:
        """What is too much, or None. Growth counts only where an earlier build has the file."""
        if self.most is not None and size > self.most:
            return f"{size} bytes, over its budget of {self.most}"
        if before is None:
            return None
        growth = size - before
        if self.most_growth is not None and growth > self.most_growth:
            return f"{size} bytes, {growth} more than before, over its budget of {self.most_growth} more"
        if self.most_growth_percent is not None and growth * 100 > self.most_growth_percent * before:
            grown = f"{growth * 100 / before:.1f}%" if before else "from nothing"
            return f"{size} bytes, {grown} more than before, over its budget of {self.most_growth_percent:g}% more"
        return None


class Unmeasured(msgspec.Struct, frozen=True):
    """A budget of growth that was not measured, or not of all its files, and why."""

    budget: str
    why: str


def parse_budget(text: str) -> Budget:
    """A budget from `PATTERN=SIZE`, `PATTERN=+SIZE` or `PATTERN=+PERCENT%`. Raises `Invalid`."""
    pattern, equals, limit = text.rpartition("=")
    if not equals or not pattern:
        raise Invalid(f"{text!r} is no budget: write 'array.js=60kB', '*.js=+2kB' or '*.js=+5%'")
    if percent := _PERCENT.fullmatch(limit):
        return Budget(text, pattern, most_growth_percent=float(percent[1]))
    if limit.startswith("+"):
        return Budget(text, pattern, most_growth=parse_size(limit[1:]))
    return Budget(text, pattern, most=parse_size(limit))


def over_budget(budgets: tuple[Budget, ...], build: Manifest, before: Manifest | None) -> list[str]:
    """One line for each artifact that is over a budget. Raises `Invalid` for a budget that is of no artifact."""
    earlier = _earlier(before)
    faults = []
    for budget in budgets:
        for artifact in budget.matching(build):
            excess = budget.excess(sent_size(artifact), earlier.get(artifact.path))
            if excess is not None:
                faults.append(f"{artifact.path} has {excess}")
    return faults


def unmeasured(budgets: tuple[Budget, ...], build: Manifest, before: Manifest | None) -> tuple[Unmeasured, ...]:
    """The budgets of growth that can't be looked at, for want of a build or of a file in it."""
    of_growth = [budget for budget in budgets if budget.is_of_growth]
    if before is None:
        why = f"no build of {build.product} before this one is known to be released, by the data folder's snapshot"
        return tuple(Unmeasured(budget.text, why) for budget in of_growth)
    earlier, found = _earlier(before), []
    for budget in of_growth:
        new = [artifact.path for artifact in budget.matching(build) if artifact.path not in earlier]
        if new:
            others = f" and {len(new) - 1} more are" if new[1:] else " is"
            found.append(Unmeasured(budget.text, f"{new[0]}{others} not in {before.version}"))
    return tuple(found)


def _earlier(before: Manifest | None) -> dict[ArtifactPath, int]:
    return {} if before is None else {artifact.path: sent_size(artifact) for artifact in before.artifacts}


def sent_size(artifact: Artifact) -> int:
    """The bytes that a shared cache gets: of the br variant, else of the artifact itself."""
    sizes = {variant.encoding.value: variant.size for variant in artifact.variants}
    return sizes.get("br", sizes["identity"])
