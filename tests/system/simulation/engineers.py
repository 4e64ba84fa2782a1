"""What release engineers ask for."""

from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

from bundles.core.names import Product
from bundles.core.version import Version
from release.blocks import clear_block, set_block
from release.change import Control
from release.core.commands import Abort, Command, Pause, Promote, Resume, Rollback
from release.core.names import Tenant
from release.pins import clear_pin
from release.tenants import set_attributes
from tests.release.model import driver
from tests.release.model.plans import Asked
from tests.release.model.requested import Who
from tests.release.model.state import CANDIDATES, Pin

_SDK = Product("sdk")
_BUILDS = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
_PLANS = (
    Asked("100"),
    Asked("staging,50,100", bake="5m"),
    Asked("staging,canary,100", canary=("acme",)),
    Asked("20@1m,100@10m", first=("tier=free",)),
)
_KINDS = (*["start"] * 5, *["command"] * 4, *["pin"] * 3, "unpin", "block", "unblock", *["know"] * 2)
_COMMANDS: tuple[Command, ...] = (
    Promote(),
    Promote(),
    Promote(),
    Promote(to="done"),
    Pause(),
    Resume(),
    Abort(),
    Rollback(),
)


Act = Callable[[], Coroutine[Any, Any, Any]]


def any_request(control: Control, chance: Random, now: int) -> tuple[str, Act]:
    """One of many, with what it is in words. `now` is by the control plane's clock."""
    who = Who(chance.choice(["sam", "kim"]))
    author, channel = driver.author_of(who), chance.choice(["stable"] * 5 + ["next"])
    build, tenant = chance.choice(_BUILDS), chance.choice(["acme", "zeta", "t1", "t2"])
    environment = chance.choice(["production", "production", "staging"])
    key = driver.pin_key(tenant, environment)
    match chance.choice(_KINDS):
        case "start":
            asked, salt = chance.choice(_PLANS), f"{chance.getrandbits(64):x}"
            at = chance.choice([None, None, None, now + 300])
            supersede = at is None and chance.random() < 0.2
            act = partial(
                driver.start, control, who, "sdk", channel, build, asked, salt, supersede=supersede, at=at
            )
            return f"start {channel} {build} {asked.stages} at {at}", act
        case "command":
            command = chance.choice(_COMMANDS)
            return f"{command} {channel}", partial(driver.command, control, who, "sdk", channel, command)
        case "pin":
            target, expires = chance.choice([build, "^1", CANDIDATES]), chance.choice([None, now + 600])
            pin = Pin(target, who.actor, "", expires)
            return f"pin {key} {target}", partial(driver.pin, control, who, "sdk", tenant, environment, pin)
        case "unpin":
            return f"unpin {key}", partial(clear_pin, control, _SDK, key, author)
        case "block":
            return f"block {build}", partial(set_block, control, _SDK, Version(build), author)
        case "unblock":
            return f"unblock {build}", partial(clear_block, control, _SDK, Version(build), author)
        case _:
            known = {Tenant(tenant): {"tier": chance.choice(["free", "enterprise"])}}
            return f"know {tenant}", partial(set_attributes, control, known, tenant, author)
