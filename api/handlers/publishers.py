"""Trusted publishers."""

from api.core.page import Page, page_of
from api.core.publishers import ISSUERS, TrustedPublisher
from api.operations.publishers import ListPublishers, RemovePublisher, SetPublisher
from api.perform import Call, handles
from api.publishers import list_publishers, remove_publisher, set_publisher
from api.views.publishers import PublisherView, view_publisher


@handles(SetPublisher)
async def set_(call: Call, asked: SetPublisher) -> PublisherView:
    """The publisher as it is believed from now on."""
    publisher = TrustedPublisher(
        service=asked.service,
        issuer=asked.issuer or ISSUERS[asked.service],
        repository=asked.repository,
        repository_id=asked.repository_id,
        owner_id=asked.owner_id,
        workflow=asked.workflow,
        environment=asked.environment,
        refs=asked.refs,
        products=asked.products,
        roles=asked.roles,
    )
    await set_publisher(call.control, asked.name, publisher, call.caller, call.author(asked))
    return view_publisher(asked.name, publisher)


@handles(ListPublishers)
async def list_(call: Call, asked: ListPublishers) -> Page[PublisherView]:
    """Those that the caller could have named."""
    covers = call.caller.grant.covers
    publishers = await list_publishers(call.control)
    views = [view_publisher(name, each) for name, each in publishers.items() if covers(each.grant)]
    return page_of(views, lambda view: view.name, asked.cursor, asked.limit)


@handles(RemovePublisher)
async def remove(call: Call, asked: RemovePublisher) -> PublisherView:
    """What the publisher was."""
    removed = await remove_publisher(call.control, asked.name, call.caller, call.author(asked))
    return view_publisher(asked.name, removed)
