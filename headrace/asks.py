"""What each verb asks of a server, and so which roles may run it there (docs/access.md)."""

from typing import Any

from api.core.operation import Operation, route_of
from api.core.role import Role
from api.operations.blocks import ClearBlock, ListBlocks, SetBlock
from api.operations.builds import ReadErrors, ReadProvenance
from api.operations.callers import ListRefusals
from api.operations.changes import DiffRevisions, ListAuditRows, ListChanges, VerifyAuditTrail
from api.operations.channels import (
    AbortRollout,
    ApproveRollout,
    PauseRollout,
    PromoteRollout,
    ReadChannel,
    ReadRollout,
    ResumeRollout,
    RollBack,
    StartRollout,
)
from api.operations.people import ListPeople, RemovePerson, SetPerson
from api.operations.pins import ClearPin, ListPins, SetPin
from api.operations.policy import ApplyPolicy, ReadPolicy
from api.operations.publishers import ListPublishers, RemovePublisher, SetPublisher
from api.operations.publishing import PublishBuild
from api.operations.resolutions import FindHolders, ListHolders, ReadResolution
from api.operations.retirements import RetireBuilds
from api.operations.smoke import ListOutcomes
from api.operations.tenants import ClearTenant, ImportTenants, ListTenants, SetTenant
from api.operations.tokens import CreateToken, ListTokens, RevokeToken, RotateToken

Asked = type[Operation[Any]]

ASKS: dict[str, tuple[Asked, ...]] = {
    "apply": (
        *(ReadPolicy, ListPeople, ListPublishers),
        *(ApplyPolicy, SetPerson, RemovePerson, SetPublisher, RemovePublisher),
    ),
    "audit export": (ListAuditRows,),
    "audit refusals": (ListRefusals,),
    "audit verify": (VerifyAuditTrail,),
    "block clear": (ClearBlock,),
    "block list": (ListBlocks,),
    "block set": (SetBlock,),
    "diff": (DiffRevisions,),
    "errors": (ReadErrors,),
    "events": (ListChanges,),
    "history": (ListChanges,),
    "person list": (ListPeople,),
    "person remove": (RemovePerson,),
    "person set": (SetPerson,),
    "pin clear": (ClearPin,),
    "pin list": (ListPins,),
    "pin set": (SetPin,),
    "policy show": (ReadPolicy,),
    "provenance": (ReadProvenance,),
    "publish": (PublishBuild,),
    "publish-batch": (PublishBuild,),
    "publisher list": (ListPublishers,),
    "publisher remove": (RemovePublisher,),
    "retire": (RetireBuilds,),
    "rollback": (RollBack,),
    "rollout abort": (AbortRollout,),
    "rollout approve": (ApproveRollout,),
    "rollout pause": (PauseRollout,),
    "rollout promote": (PromoteRollout, ReadChannel, ReadRollout),
    "rollout resume": (ResumeRollout,),
    "rollout start": (StartRollout, ReadChannel, ReadRollout),
    "rollout status": (ReadChannel,),
    "rollout watch": (ReadChannel, ReadRollout),
    "smoke show": (ListOutcomes,),
    "tenant clear": (ClearTenant,),
    "tenant import": (ImportTenants,),
    "tenant list": (ListTenants,),
    "tenant set": (SetTenant,),
    "token create": (CreateToken,),
    "token list": (ListTokens,),
    "token revoke": (RevokeToken,),
    "token rotate": (RotateToken,),
    "who": (ListHolders, FindHolders),
    "why": (ReadResolution,),
}
"""By verb, what it asks for first, and what it may ask for then. `plan` asks for what its change does."""


def roles_of(verb: str) -> list[Role]:
    """Who may run the verb: who may ask for all that it asks for."""
    return sorted(frozenset(Role).intersection(*(route_of(operation).roles for operation in ASKS[verb])))
