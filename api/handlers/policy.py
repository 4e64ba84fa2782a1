"""The vendor's policy."""

from api.operations.policy import ApplyPolicy, ReadPolicy
from api.perform import Call, handles
from release.core.policy import Policy
from release.policies import apply_policy, read_policy


@handles(ReadPolicy)
async def read(call: Call, _: ReadPolicy) -> Policy:
    """The rules in force; none before the first."""
    return await read_policy(call.control)


@handles(ApplyPolicy)
async def apply(call: Call, asked: ApplyPolicy) -> Policy:
    """The rules that are in force now."""
    call.caller.require_all_products("the policy")
    await apply_policy(call.control, asked.policy, call.author(asked))
    return asked.policy
