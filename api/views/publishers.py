"""A trusted publisher as its users see it."""

import msgspec

from api.core.publishers import Service, TrustedPublisher
from api.core.role import Role


class PublisherView(msgspec.Struct, frozen=True, kw_only=True):
    """A trusted publisher: whose ID tokens are believed, and what they let do."""

    name: str
    service: Service
    issuer: str
    repository: str
    repository_id: str | None
    owner_id: str | None
    workflow: str
    environment: str | None
    refs: tuple[str, ...]
    products: tuple[str, ...]
    roles: tuple[Role, ...]


def view_publisher(name: str, publisher: TrustedPublisher) -> PublisherView:
    """The publisher for its users."""
    return PublisherView(
        name=name,
        service=publisher.service,
        issuer=publisher.issuer,
        repository=publisher.repository,
        repository_id=publisher.repository_id,
        owner_id=publisher.owner_id,
        workflow=publisher.workflow,
        environment=publisher.environment,
        refs=publisher.refs,
        products=publisher.products,
        roles=tuple(sorted(publisher.roles)),
    )
