"""Retirements."""

from api.operations.retirements import RetireBuilds
from api.perform import Call, handles
from api.views.retirement import RetirementView, view_retirement
from bundles.core.errors import Invalid
from bundles.core.names import parse_product
from bundles.core.retention import Policy
from bundles.core.version import parse_version
from release.core.plan import parse_duration
from release.retire import Wanted, preview_retirement, retire


@handles(RetireBuilds)
async def retire_(call: Call, asked: RetireBuilds) -> RetirementView:
    """What was retired, or would be."""
    # A grant that matches a pattern's text is for all that the pattern matches (`Grant.covers`).
    call.caller.require_scope(asked.products, None)
    if call.terms.expected_revision is not None:
        raise Invalid("to retire makes a change for each product: it can't expect a revision")
    wanted = Wanted(
        products=parse_product(asked.products) if asked.versions else asked.products,
        policy=Policy(asked.keep, parse_duration(asked.older_than)),
        named=tuple(parse_version(text) for text in asked.versions),
    )
    control, is_over = call.control, call.plane.work_time()
    if not asked.apply or call.terms.is_preview:
        found = await preview_retirement(control, control.builds, wanted, is_over)
        return view_retirement(found, applied=False)
    made = await retire(control, control.builds, wanted, call.author(asked), is_over)
    return view_retirement(made, applied=True)
