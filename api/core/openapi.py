"""The OpenAPI 3.1 document of all that can be asked, made from the operations and descriptions themselves."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from api.core.described import EVENT_STREAM, Described, Parameter
from api.core.operation import PREFIX, Route
from api.core.problems import CONTENT_TYPE, KINDS, Kind, Problem
from api.core.request import ARCHIVE_TYPES, DRY_RUN

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
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
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
    sent = [each.body for each in others if each.body is not None]
    answered = [each.answer for each in others if each.answer is not None]
    kinds = [plan, Problem, *(route.answer for route in routes), *bodies.values(), *sent, *answered]
    fields = [field.type for route in routes for field in _in_url(route)]
    of_others = [parameter.kind for each in others for parameter in each.parameters]
    schemas, components = _taking_twice(
        msgspec.json.schema_components([*kinds, *fields, *of_others], ref_template=_REFS)
    )
    known = iter(schemas)
    plan_schema, _ = next(known), next(known)
    answers = {route: next(known) for route in routes}
    taken = {route: next(known) for route in bodies}
    others_taken = {each: next(known) for each in others if each.body is not None}
    others_answers = {each: next(known) for each in others if each.answer is not None}
    in_url = {route: [(field, next(known)) for field in _in_url(route)] for route in routes}
    paths: dict[str, Any] = {}
    for route in routes:
        answer = {"anyOf": [answers[route], plan_schema]} if route.is_change else answers[route]
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = {
            "operationId": route.name,
            "summary": route.summary,
            "description": f"{_description(route)}\n\nFor the roles {', '.join(sorted(route.roles))}.".strip(),
            "tags": [route.operation.__module__.rpartition(".")[2]],
            "x-roles": sorted(route.roles),
            "parameters": [*(_parameter(route, *each) for each in in_url[route]), *_terms(route)],
            **({"requestBody": _request_body(route, taken[route])} if route in taken else {}),
            **({"requestBody": _ARCHIVE} if route.takes_archive else {}),
            "responses": _responses(route, answer),
        }
    for each in others:
        parameters = [_text(parameter, next(known)) for parameter in each.parameters]
        found = _other(each, parameters, others_taken.get(each), others_answers.get(each))
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = found
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


def _taking_twice(schema: Any) -> Any:
    """The schema without `uniqueItems`: of what is a set, an item that is sent twice counts once."""
    match schema:
        case dict():
            return {name: _taking_twice(each) for name, each in schema.items() if name != "uniqueItems"}
        case list() | tuple():
            return [_taking_twice(each) for each in schema]
        case _:
            return schema


def _other(
    described: Described,
    parameters: list[dict[str, Any]],
    taken: dict[str, Any] | None,
    answer: dict[str, Any] | None,
) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(described.status).phrase}
    if answer is not None:
        success["content"] = {
            described.media_type: {"schema": _event(answer) if described.media_type == EVENT_STREAM else answer}
        }
    required = {"required": True, "content": {"application/json": {"schema": taken}}}
    return {
        "operationId": described.name,
        "summary": described.summary,
        "description": described.description,
        "tags": [described.tag],
        **({"security": []} if described.is_public else {}),
        "parameters": parameters,
        **({} if taken is None else {"requestBody": required}),
        "responses": {str(described.status): success, **_problems()},
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
