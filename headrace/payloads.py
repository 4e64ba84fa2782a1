"""What each verb prints with `--json`, and the JSON Schema of it, in version 1.

Within a version fields are added, and none is changed or removed: who reads must take what it does not know.
"""

from typing import Any

import msgspec

from api.views.audit import TrailView
from api.views.block import BlockedView, BlockView
from api.views.build import ProvenanceView
from api.views.change import EventView, HistoryView
from api.views.channel import ChannelView
from api.views.error import ErrorsView
from api.views.people import PersonView
from api.views.pin import PinView
from api.views.plan import PlanView
from api.views.published import PublishedView
from api.views.publishers import PublisherView
from api.views.refusal import RefusalView
from api.views.resolution import HoldersView, ResolutionView
from api.views.retirement import RetirementView
from api.views.rollout import EndingView, WatchView
from api.views.smoke import OutcomeView
from api.views.tenant import ImportedView, TenantView
from api.views.token import IssuedTokenView, TokenView
from bundles.batch import Outcome
from headrace.apply_run import AppliedView
from headrace.audit_line import AuditLine
from headrace.demo.main import Story
from headrace.diff_run import ComparisonView
from headrace.export_run import Exported
from headrace.keys_run import KeyPair, KeyView, ResignedView
from headrace.receivers import ReceiverView, Trial
from headrace.verbs.api import Listening as ApiListening
from headrace.verbs.builders import BuilderView
from headrace.verbs.collect import Listening as Collecting
from headrace.verbs.completion import Script
from headrace.verbs.doctor import Report
from headrace.verbs.login import LoggedIn
from headrace.verbs.logout import LoggedOut
from headrace.verbs.restore import Restored
from headrace.verbs.serve import Listening, Renewed
from headrace.verify_run import Verified
from release.backup import Content
from release.core.policy import Policy
from release.core.revisions import RevisionDiff

VERSION = 1
_ROLLOUT = ("start", "promote", "approve", "pause", "resume", "abort", "status")

PAYLOADS: dict[str, Any] = {
    "apply": AppliedView,
    "api": ApiListening,
    **{f"rollout {verb}": ChannelView for verb in _ROLLOUT},
    **{f"keys {verb}": list[KeyView] for verb in ("list", "rotate", "trust", "distrust")},
    **{f"builders {verb}": list[BuilderView] for verb in ("list", "trust", "distrust")},
    "audit refusals": list[RefusalView],
    "audit verify": TrailView,
    "backup": Content,
    "block clear": BlockView,
    "block list": list[BlockView],
    "block set": BlockedView,
    "collect": Collecting,
    "completion": Script,
    "demo": Story,
    "diff": (ComparisonView, RevisionDiff),
    "doctor": Report,
    "errors": ErrorsView,
    "export-static": Exported,
    "history": list[HistoryView],
    "keys create": KeyPair,
    "keys resign": ResignedView,
    "login": LoggedIn,
    "logout": LoggedOut,
    "notify list": list[ReceiverView],
    "notify test": Trial,
    "person list": list[PersonView],
    "person remove": PersonView,
    "person set": PersonView,
    "pin clear": PinView,
    "pin list": list[PinView],
    "pin set": PinView,
    "plan": PlanView,
    "policy show": Policy,
    "provenance": ProvenanceView,
    "publish": PublishedView,
    "restore": Restored,
    "publisher list": list[PublisherView],
    "publisher remove": PublisherView,
    "retire": RetirementView,
    "rollback": ChannelView,
    "serve": (Listening, Renewed),
    "smoke run": list[OutcomeView],
    "smoke show": list[OutcomeView],
    "tenant clear": TenantView,
    "tenant import": ImportedView,
    "tenant list": list[TenantView],
    "tenant set": TenantView,
    "token create": IssuedTokenView,
    "token list": list[TokenView],
    "token revoke": TokenView,
    "token rotate": IssuedTokenView,
    "verify": list[Verified],
    "who": HoldersView,
    "why": ResolutionView,
}
"""The verbs that print one document; of several types where it is one of these."""

LINES: dict[str, Any] = {
    "audit export": AuditLine,
    "controller": ChannelView,
    "events": EventView,
    "publish-batch": Outcome,
    "rollout watch": (WatchView, EndingView),
}
"""The verbs that print a document on each line, of this type."""


def schema_of(verb: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the verb's document, or of each of its lines."""
    declared = {**PAYLOADS, **LINES}[verb]
    types = declared if isinstance(declared, tuple) else (declared,)
    references, definitions = msgspec.json.schema_components(
        types, schema_hook=_any, ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:headrace:{verb.replace(' ', '-')}:v{VERSION}",
        "title": f"headrace {verb} --json",
        "anyOf": list(references),
        "$defs": definitions,
    }


def _any(kind: type) -> dict[str, Any]:
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "Any JSON value."}
