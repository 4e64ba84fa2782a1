"""Requests made from an OpenAPI document alone, so that a new operation is asked for without being listed."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from api.core.operation import PREFIX, Route


class Example(msgspec.Struct, frozen=True):
    """A request of the right form. Its path is below the API's prefix."""

    method: str
    path: str
    query: dict[str, Any]
    json: Any = None
    content_type: str | None = None

    def sent(self, server: str, token: str | None, **query: str) -> httpx.Request:
        """The request to this server, with a token or none."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        if self.content_type is not None:
            headers["content-type"] = self.content_type
        url = f"{server}{PREFIX}{self.path}"
        return httpx.Request(self.method, url, params={**self.query, **query}, json=self.json, headers=headers)


class Examples:
    """Of each operation of a document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def of(self, route: Route, **fields: Any) -> Example:
        """With what it must have, from the examples that its fields tell of, and these fields in their place."""
        told = self._document["paths"][PREFIX + route.path][route.method.lower()]
        given = {**self._parameters(told), **fields}
        in_path = {name: quote(str(given.pop(name)), safe="@") for name in route.in_path}
        path = route.path.format(**in_path)
        content: Mapping[str, Any] = told.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return Example(route.method, path, given, content_type=next(iter(content), None))
        body = self._value(content["application/json"]["schema"])
        return Example(route.method, path, {}, {**body, **given})

    def _parameters(self, told: dict[str, Any]) -> dict[str, Any]:
        return {each["name"]: self._value(each["schema"]) for each in told["parameters"] if each.get("required")}

    def _value(self, schema: dict[str, Any]) -> Any:
        match schema:
            case {"$ref": str(ref)}:
                return self._value(self._document["components"]["schemas"][ref.rpartition("/")[2]])
            case {"examples": [example, *_]} | {"const": example} | {"enum": [example, *_]}:
                return example
            case {"anyOf": [first, *_]}:
                return self._value(first)
            case {"type": "object"}:
                return {name: self._value(schema["properties"][name]) for name in schema.get("required", ())}
            case {"type": "array"}:
                return [self._value(schema["items"]) for _ in range(schema.get("minItems", 0))]
            case {"type": "integer"}:
                return schema.get("minimum", 0)
            case _:
                raise AssertionError(f"give the field an example, in api/core/fields.py or beside it: {schema}")
