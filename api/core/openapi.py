"""The OpenAPI 3.1 document of all that can be asked, made from the operations and descriptions themselves."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from api.core.described import EVENT_STREAM, Described, Parameter
from api.core.operation import PREFIX, Route
from api.core.problems import CONTENT_TYPE, KINDS, Kind, Problem
from api.core.request import ARCHIVE_TYPES, DRY_RUN, KEY_PATTERN

Schema = dict[str, Any]
Schemas = Mapping[Any, Schema]
"""Schemas by the types that they are of."""

VERSION = "1"
_REFS = "#/components/schemas/{name}"
_PROBLEM = "Problem"
_ETAG = {"description": "The revision of the routing table, and what the answer is", "schema": {"type": "string"}}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of an earlier answer: change only if the routing table is still at its revision",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A new one for each change, kept for a day: what is sent again with it is made once",
    "schema": {"type": "string", "pattern": f"^{KEY_PATTERN}$"},
}
_DRY_RUN = {
    "name": DRY_RUN,
    "in": "query",
    "description": "Say what the change would do, and do not make it",
    "schema": {"type": "boolean", "default": False},
}
_ARCHIVE = {"required": True, "content": {name: {} for name in ARCHIVE_TYPES}}
_SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]


def document(routes: Sequence[Route], others: Sequence[Described], plan: type[Any]) -> dict[str, Any]:
    """The document of these operations and these other endpoints; `plan` is what answers a change that is only
    tried.
    """
    bodies = {route: _body_type(route) for route in routes if route.has_body}
    used = [plan, Problem, *bodies.values()]
    for route in routes:
        used += [route.answer, *(field.type for field in _in_url(route))]
    for each in others:
        told = [kind for kind in (each.body, each.answer) if kind is not None]
        used += [*told, *(parameter.kind for parameter in each.parameters)]
    schemas, components = _schemas_of(used)
    paths: dict[str, Any] = {}
    for route in routes:
        found = _operation(route, bodies.get(route), plan, schemas)
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = found
    for each in others:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _other(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headrace", "version": VERSION, "summary": "What is asked of the control plane"},
        "security": _SECURITY,
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {kind.name: _problem(kind) for kind in KINDS},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-headrace"},
            },
        },
    }


def _schemas_of(kinds: Iterable[Any]) -> tuple[Schemas, Schema]:
    """The schema of each of these types, and the components that they refer to."""
    used = list(dict.fromkeys(kinds))
    found, components = _taking_twice(msgspec.json.schema_components(used, ref_template=_REFS))
    return dict(zip(used, found, strict=True)), components


def _operation(route: Route, body: type[Any] | None, plan: type[Any], schemas: Schemas) -> Schema:
    answer = schemas[route.answer]
    if route.is_change:
        answer = {"anyOf": [answer, schemas[plan]]}
    return {
        "operationId": route.name,
        "summary": route.summary,
        "description": f"{_description(route)}\n\nFor the roles {', '.join(sorted(route.roles))}.".strip(),
        "tags": [route.operation.__module__.rpartition(".")[2]],
        "x-roles": sorted(route.roles),
        "parameters": [
            *(_parameter(route, field, schemas[field.type]) for field in _in_url(route)),
            *_terms(route),
        ],
        **({} if body is None else {"requestBody": _request_body(route, schemas[body])}),
        **({"requestBody": _ARCHIVE} if route.takes_archive else {}),
        "responses": _responses(route, answer),
    }


def _taking_twice(schema: Any) -> Any:
    """The schema without `uniqueItems`: of what is a set, an item that is sent twice counts once."""
    match schema:
        case dict():
            return {name: _taking_twice(each) for name, each in schema.items() if name != "uniqueItems"}
        case list() | tuple():
            return [_taking_twice(each) for each in schema]
        case _:
            return schema


def _other(described: Described, schemas: Schemas) -> Schema:
    success: Schema = {"description": HTTPStatus(described.status).phrase}
    if described.answer is not None:
        answer = schemas[described.answer]
        is_stream = described.media_type == EVENT_STREAM
        success["content"] = {described.media_type: {"schema": _event(answer) if is_stream else answer}}
    body: Schema = {}
    if described.body is not None:
        taken = {"application/json": {"schema": schemas[described.body]}}
        body["requestBody"] = {"required": True, "content": taken}
    shown: Schema = {}
    if described.page is not None:
        shown[str(HTTPStatus.OK.value)] = {"description": described.page, "content": {"text/html": {}}}
    return {
        "operationId": described.name,
        "summary": described.summary,
        "description": described.description,
        "tags": [described.tag],
        **({"security": []} if described.is_public else {}),
        "parameters": [_text(parameter, schemas[parameter.kind]) for parameter in described.parameters],
        **body,
        "responses": {str(described.status): success, **shown, **_problems()},
    }


def _event(data: dict[str, Any]) -> dict[str, Any]:
    """Each event of a stream, as OpenAPI 3.2 has it, in which the data is JSON in a text."""
    text = {"type": "string"}
    told = {**text, "contentMediaType": "application/json", "contentSchema": data}
    return {"type": "object", "required": ["data"], "properties": {"id": text, "event": text, "data": told}}


def _text(parameter: Parameter, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    }


def _description(route: Route) -> str:
    lines = (route.operation.__doc__ or "").partition("\n")[2].splitlines()
    return "\n".join(line.strip() for line in lines).strip()


def _in_url(route: Route) -> list[msgspec.structs.FieldInfo]:
    fields = {field.name: field for field in msgspec.structs.fields(route.operation)}
    in_query = [] if route.has_body else [name for name in fields if name not in route.in_path]
    return [fields[name] for name in (*route.in_path, *in_query)]


def _body_type(route: Route) -> type[msgspec.Struct]:
    """The operation without what is in its path."""
    fields: list[Any] = []
    for field in msgspec.structs.fields(route.operation):
        if field.name not in route.in_path:
            default = () if field.default is msgspec.NODEFAULT else (field.default,)
            fields.append((field.name, field.type, *default))
    name = f"{route.operation.__name__}Body"
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def _parameter(route: Route, field: msgspec.structs.FieldInfo, schema: dict[str, Any]) -> dict[str, Any]:
    place = "path" if field.name in route.in_path else "query"
    text = schema.get("description")
    described = {} if text is None else {"description": text}
    required = place == "path" or field.required
    return {"name": field.encode_name, "in": place, "required": required, **described, "schema": schema}


def _terms(route: Route) -> Iterable[dict[str, Any]]:
    return (_DRY_RUN, _IF_MATCH, _IDEMPOTENCY_KEY) if route.is_change else ()


def _request_body(route: Route, schema: dict[str, Any]) -> dict[str, Any]:
    fields = msgspec.structs.fields(route.operation)
    required = any(field.required for field in fields if field.name not in route.in_path)
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _responses(route: Route, answer: dict[str, Any]) -> dict[str, Any]:
    success = {"headers": {"ETag": _ETAG}, "content": {"application/json": {"schema": answer}}}
    statuses = {str(route.status): {"description": HTTPStatus(route.status).phrase, **success}}
    if route.is_change and route.status != HTTPStatus.OK:
        statuses[str(HTTPStatus.OK.value)] = {"description": "What the change would do", **success}
    if route.takes_archive:
        statuses[str(HTTPStatus.OK.value)] = {"description": "It was there already, with these files", **success}
    if not route.is_change and not route.takes_archive:
        statuses[str(HTTPStatus.NOT_MODIFIED.value)] = {"description": "It is as If-None-Match has it"}
    return {**statuses, **_problems()}


def _problems() -> dict[str, Any]:
    by_status: dict[HTTPStatus, str] = {}
    for kind in KINDS:
        by_status.setdefault(kind.status, kind.name)
    responses = "#/components/responses/"
    return {str(status.value): {"$ref": responses + name} for status, name in by_status.items()}


def _problem(kind: Kind) -> dict[str, Any]:
    schema = {"$ref": _REFS.format(name=_PROBLEM)}
    return {"description": kind.title, "content": {CONTENT_TYPE: {"schema": schema}}}
