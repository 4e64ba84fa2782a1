"""The fields that operations have in common, each with the form that the OpenAPI document tells of it.

The form is what a schema can say; whether it names something that exists is for the use cases.
"""

from typing import Annotated

from msgspec import Meta

from api.core.access import PATTERN
from api.core.role import Role

_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"

ProductField = Annotated[
    str,
    Meta(
        pattern=rf"^(?:@{_NAME}/)?{_NAME}$",
        max_length=130,
        description="A product, as in posthog-js or @acme/content",
        examples=["posthog-js"],
    ),
]
VersionField = Annotated[
    str,
    Meta(
        pattern=rf"^{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?$",
        max_length=64,
        description="An exact version",
        examples=["1.4.2"],
    ),
]
ChannelField = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$",
        description="A channel, as in stable, next or 2",
        examples=["stable"],
    ),
]
TenantField = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,126}[A-Za-z0-9])?$",
        description="A customer's id",
        examples=["acme"],
    ),
]
EnvironmentField = Annotated[
    str,
    Meta(
        pattern=r"^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$",
        description="One of the tenant's environments",
        examples=["production"],
    ),
]
TimeField = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description="A date, or a time by RFC 3339; in UTC if it names no zone",
        examples=["2026-01-31T09:00:00Z"],
    ),
]
TokenNameField = Annotated[
    str,
    Meta(
        pattern=rf"^{_NAME}$",
        description="What people call the token",
        examples=["release-pipeline"],
    ),
]
PublisherField = Annotated[
    str,
    Meta(
        pattern=rf"^{_NAME}$",
        description="A trusted publisher's name",
        examples=["sdk-release"],
    ),
]
PersonField = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f]+$",
        min_length=3,
        max_length=255,
        description="An e-mail address, `issuer|sub` of an ID token, or `group:` and a group's name",
        examples=["ada@example.com"],
    ),
]
PatternsField = Annotated[
    tuple[Annotated[str, Meta(pattern=f"^{PATTERN}$")], ...],
    Meta(
        min_length=1,
        max_length=1000,
        description="Products by their names, in which `*` stands for any characters",
        examples=[["posthog-*"]],
    ),
]
RolesField = Annotated[frozenset[Role], Meta(min_length=1)]
MAX_REVISION = 2**53 - 1
"""The largest number that JSON's readers in JavaScript keep exactly."""
RevisionField = Annotated[
    int,
    Meta(ge=0, le=MAX_REVISION, description="A revision of the routing table; 0 is that before the first change"),
]
DurationField = Annotated[str, Meta(pattern="^[0-9]{1,7}[smhd]$", examples=["30m"])]
ReasonField = Annotated[str, Meta(max_length=500, description="Why, in one line; kept in the audit trail")]
MOST_ITEMS = 1000
LimitField = Annotated[int, Meta(ge=1, le=MOST_ITEMS, description="The most items of a page")]
MANY = 10_000
ManyField = Annotated[int, Meta(ge=1, le=MANY, description="The most items of a page, each of which is small")]
CursorField = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]*$",
        max_length=600,
        description="Where the page begins, from `next` of the one before",
    ),
]
