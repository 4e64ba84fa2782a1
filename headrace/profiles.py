"""Profiles: servers that the command line asks, each with the token it shows there.

They are in `profiles.toml`, in the folder that XDG_CONFIG_HOME names, for their user's eyes alone. Without a
profile the command line works on a data folder.
"""

import os
import re
import tomllib
from pathlib import Path

import msgspec

from api.core.token import Prefix
from bundles.adapters.files import write_atomically
from bundles.core.errors import Invalid, NotFound

PROFILE_VARIABLE = "HEADRACE_PROFILE"
SERVER_VARIABLE = "HEADRACE_SERVER"
TOKEN_VARIABLE = "HEADRACE_TOKEN"  # noqa: S105 - its name
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_OTHERS = 0o077


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server's URL, and the token to show there."""

    server: str
    token: str

    @property
    def is_session(self) -> bool:
        """True where the token is that of a session, which a login began and which ends by itself."""
        return self.token.startswith(Prefix.SESSION)


def login_again(profile: Profile) -> str:
    """What to do where the server does not know the profile's session any more."""
    name = os.environ.get(PROFILE_VARIABLE, "NAME")
    return (
        f"the session at {profile.server} has ended: log in again, with `headrace login {profile.server} --profile"
        f" {name} --browser`, or from a pipeline with --publisher in its place"
    )


def chosen_profile() -> Profile | None:
    """The server that the environment names, by a profile or by itself; None where there is none.

    Raises `Invalid` for half of one, `NotFound` for a profile that nobody has made.
    """
    server, token = os.environ.get(SERVER_VARIABLE), os.environ.get(TOKEN_VARIABLE)
    name = os.environ.get(PROFILE_VARIABLE)
    if server and name:
        raise Invalid(f"{PROFILE_VARIABLE} and {SERVER_VARIABLE} both name a server: leave one of them out")
    if server:
        if not token:
            raise Invalid(f"{SERVER_VARIABLE} names a server: put the token for it in {TOKEN_VARIABLE}")
        return Profile(server, token)
    return read_profile(name) if name else None


def refuse_profile() -> None:
    """Raise `Invalid` where a server is named, by who works on a data folder alone: it would be the wrong one."""
    if os.environ.get(SERVER_VARIABLE) or os.environ.get(PROFILE_VARIABLE):
        raise Invalid(f"this works on a data folder alone: leave {PROFILE_VARIABLE} and {SERVER_VARIABLE} out")


def read_profile(name: str) -> Profile:
    """The profile of this name. Raises `NotFound` where there is none."""
    profiles = _read()
    if name not in profiles:
        known = ", ".join(sorted(profiles)) or "none"
        raise NotFound(f"there is no profile {name!r}, known are {known}: make one with `headrace login`")
    return profiles[name]


def check_profile_name(name: str) -> None:
    """Raise `Invalid` for what is no name of a profile."""
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no name of a profile: use 1 to 32 of a-z, 0-9 and '-', as in prod")


def save_profile(name: str, profile: Profile) -> None:
    """Keep a profile, in the place of one of this name. Raises `Invalid` for what is no name of one."""
    check_profile_name(name)
    _write({**_read(), name: profile})


def forget_profile(name: str) -> Profile:
    """Keep a profile no more; what it was. Raises `NotFound` where there is none."""
    forgotten = read_profile(name)
    _write({each: kept for each, kept in _read().items() if each != name})
    return forgotten


def _write(profiles: dict[str, Profile]) -> None:
    lines = []
    for each, kept in sorted(profiles.items()):
        lines += [f"[{each}]", f"server = {_quoted(kept.server)}", f"token = {_quoted(kept.token)}", ""]
    file = _file()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(file, "\n".join(lines).encode(), mode=0o600)


def _read() -> dict[str, Profile]:
    file = _file()
    try:
        if file.stat().st_mode & _OTHERS:
            raise Invalid(f"{file} has tokens, and others can read it: chmod 600 {file}")
        return msgspec.convert(tomllib.loads(file.read_text("utf-8")), dict[str, Profile])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Invalid(f"can't read {file}: {error.strerror}") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise Invalid(f"{file} is no file of profiles: {error}. Remove it and log in anew") from None


def _file() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "headrace" / "profiles.toml"


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are among TOML's."""
    return msgspec.json.encode(text).decode()
