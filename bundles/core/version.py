"""Versions and ranges of versions, as npm's users write them (semver.org; node-semver's range grammar)."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NewType

import semver

from bundles.core.errors import Invalid

Version = NewType("Version", str)

MAX_VERSION_LENGTH = 64
MAX_RANGE_LENGTH = 128

_PARTIAL = re.compile(
    r"(?P<op>>=|<=|>|<|=|~|\^)?\s*v?"
    r"(?P<major>0|[1-9]\d*|[xX*])"
    r"(?:\.(?P<minor>0|[1-9]\d*|[xX*])"
    r"(?:\.(?P<patch>0|[1-9]\d*|[xX*])"
    r"(?:-(?P<prerelease>[0-9A-Za-z.-]+))?)?)?"
)
_SPACE_AFTER_OPERATOR = re.compile(r"(>=|<=|>|<|=|~|\^)\s+")

Comparator = tuple[str, semver.Version]


def parse_version(text: str) -> Version:
    """An exact version by semver.org's grammar, without build metadata.

    Metadata is refused because two builds that differ in it alone have equal precedence: neither is newer.
    """
    if len(text) > MAX_VERSION_LENGTH:
        raise Invalid(f"{text[:20]!r}… is not a version: it is longer than {MAX_VERSION_LENGTH} characters")
    try:
        parsed = semver.Version.parse(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a version: write MAJOR.MINOR.PATCH, as in 1.4.2 or 2.0.0-beta.1") from None
    if parsed.build is not None:
        raise Invalid(f"{text!r} has build metadata, which does not order builds: publish it as {_bare(parsed)}")
    return Version(text)


@lru_cache(maxsize=16_384)
def precedence(version: Version) -> semver.Version:
    """What versions are sorted by (semver.org, item 11)."""
    return semver.Version.parse(version)


def are_versions(texts: Iterable[str]) -> list[Version]:
    """Those of the texts that are versions, oldest precedence first."""
    return sorted((Version(text) for text in texts if _exact(text)), key=precedence)


class Range:
    """A set of versions: exact (`1.4.2`) or open (`^1.4`, `~2`, `1.x`, `>=1 <3`, `1.2 - 1.4`, `1 || 3`).

    As in node-semver, a prerelease is admitted only by a comparator on the same MAJOR.MINOR.PATCH.
    """

    __slots__ = ("_alternatives", "exact", "text")

    def __init__(self, text: str) -> None:
        if len(text) > MAX_RANGE_LENGTH:
            raise Invalid(f"{text[:20]!r}… is not a range: it is longer than {MAX_RANGE_LENGTH} characters")
        self.text = text
        self._alternatives = tuple(_parse_alternative(text, part.strip()) for part in text.split("||"))
        self.exact = _exact(text)

    def admits(self, version: Version) -> bool:
        """True when the version lies in the range."""
        candidate = precedence(version)
        return any(_admits(comparators, candidate) for comparators in self._alternatives)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Range({self.text!r})"


def _exact(text: str) -> Version | None:
    try:
        return parse_version(text)
    except Invalid:
        return None


def _bare(version: semver.Version) -> str:
    return str(version.replace(build=None))


def _parse_alternative(whole: str, text: str) -> tuple[Comparator, ...]:
    if " - " in text:
        low, _, high = text.partition(" - ")
        return (*_partial(whole, low.strip(), ">="), *_partial(whole, high.strip(), "<="))
    simple = _SPACE_AFTER_OPERATOR.sub(r"\1", text).split()
    return tuple(comparator for part in simple or ["*"] for comparator in _partial(whole, part, None))


def _partial(whole: str, text: str, hyphen_operator: str | None) -> tuple[Comparator, ...]:
    """One `1.2`, `^1.2.3`, `>=1.x` … as plain comparisons; `-0` is the lowest prerelease of all."""
    match = _PARTIAL.fullmatch(text)
    if match is None or (hyphen_operator and match["op"]):
        raise Invalid(f"{whole!r} is not a range: write 1.4.2, ^1.4, ~1.4, 1.x, '>=1.2 <3' or '1 || 2'")
    numbers = _leading_numbers(match)
    prerelease = match["prerelease"] if len(numbers) == 3 else None
    try:
        floor = _padded(numbers, prerelease)
        semver.Version.parse(str(floor))
    except ValueError:
        raise Invalid(f"{whole!r} is not a range: {text!r} is no version") from None
    return _comparators(hyphen_operator or match["op"] or "=", numbers, floor)


def _leading_numbers(match: re.Match[str]) -> list[int]:
    numbers: list[int] = []
    for part in (match["major"], match["minor"], match["patch"]):
        if part is None or part in "xX*":
            break
        numbers.append(int(part))
    return numbers


def _comparators(operator: str, numbers: list[int], floor: semver.Version) -> tuple[Comparator, ...]:
    if not numbers:
        return (
            (("<", semver.Version(0, 0, 0, prerelease="0")),)
            if operator in "<>"
            else ((">=", semver.Version(0, 0, 0)),)
        )
    if operator == "^":
        return (">=", floor), ("<", _after(numbers, _caret_position(numbers)))
    if operator == "~":
        return (">=", floor), ("<", _after(numbers, min(1, len(numbers) - 1)))
    if len(numbers) == 3:
        return ((operator, floor),)
    following = _after(numbers, len(numbers) - 1)
    lowest = floor.replace(prerelease="0")
    return {
        "=": ((">=", floor), ("<", following)),
        ">=": ((">=", floor),),
        ">": ((">=", following.replace(prerelease=None)),),
        "<": (("<", lowest),),
        "<=": (("<", following),),
    }[operator]


def _caret_position(numbers: list[int]) -> int:
    """`^` fixes everything up to the first number that is not zero."""
    return next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)


def _after(numbers: list[int], place: int) -> semver.Version:
    """The lowest version above all that share the numbers up to and with `place`."""
    return _padded([*numbers[:place], numbers[place] + 1], "0")


def _padded(numbers: list[int], prerelease: str | None) -> semver.Version:
    """MAJOR.MINOR.PATCH from the first few of them, with zeros for the others."""
    major, minor, patch, *_ = [*numbers, 0, 0, 0]
    return semver.Version(major, minor, patch, prerelease=prerelease)


def _admits(comparators: tuple[Comparator, ...], candidate: semver.Version) -> bool:
    if not all(_holds(candidate, operator, bound) for operator, bound in comparators):
        return False
    return candidate.prerelease is None or any(
        bound.prerelease is not None and bound.to_tuple()[:3] == candidate.to_tuple()[:3]
        for _, bound in comparators
    )


def _holds(candidate: semver.Version, operator: str, bound: semver.Version) -> bool:
    order = candidate.compare(bound)
    return {"=": order == 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]
