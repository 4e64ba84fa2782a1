"""How large deltas are: `python -m benchmarks.deltas [--json]`.

For each of five consecutive builds of three public SDKs: the script's own bytes, br at level 11, and the `dcz`
delta against the build before. Deterministic: the same builds give the same table.
"""

import json
import statistics
import sys
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from benchmarks.sdks import real_builds
from bundles.core.compress import Encoding, encode
from bundles.core.delta import is_worth_keeping, make_delta
from bundles.core.version import Version, precedence


def measure() -> list[dict[str, object]]:
    """One row for each pair of consecutive builds. Sizes in bytes."""
    rows: list[dict[str, object]] = []
    for sdk in real_builds():
        for before, after in pairwise(sdk.builds):
            data = (after.folder / sdk.entry).read_bytes()
            br = len(encode(data, Encoding.BR))
            dcz = len(make_delta(data, (before.folder / sdk.entry).read_bytes()))
            rows.append(
                {
                    "sdk": sdk.product,
                    "from": before.version,
                    "to": after.version,
                    "patch": _minor(before.version) == _minor(after.version),
                    "raw": len(data),
                    "br": br,
                    "dcz": dcz,
                    "dcz_of_br": round(dcz / br, 4),
                    "kept": is_worth_keeping(dcz, br),
                }
            )
    return rows


def _minor(version: str) -> tuple[int, int]:
    parsed = precedence(Version(version))
    return parsed.major, parsed.minor


def main() -> None:
    """Print the table, or JSON."""
    rows = measure()
    median = statistics.median(float(str(row["dcz_of_br"])) for row in rows if row["patch"])
    if "--json" in sys.argv[1:]:
        print(json.dumps({"builds": rows, "median_dcz_of_br_for_patches": median}, indent=2))
        return
    table = Table("sdk", "from", "to", "raw", "br-11", "dcz", "dcz/br", box=None, pad_edge=False)
    for row in rows:
        share = f"{float(str(row['dcz_of_br'])):.1%}" + ("" if row["kept"] else " (dropped)")
        table.add_row(*(str(row[name]) for name in ("sdk", "from", "to", "raw", "br", "dcz")), share)
    Console().print(table)
    print(f"median dcz/br of patch releases: {median:.2%} (target: at most 15%)")


if __name__ == "__main__":
    main()
