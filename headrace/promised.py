"""What version 1 of the JSON promises, a line for each field: `make docs` adds to them, and refuses to lose one.

Of what is answered, a line is a field by its path, with all its types, and a `?` where it may be absent; or a
value that it may have. Of what is asked, it is a type or a value that a field takes, or which fields must be
given. What a pattern or a bound says is in no line.

It is `python -m headrace.promised FOLDER`, where the folder has the schemas of verbs and the OpenAPI document.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = "v1.txt"
Schema = Mapping[str, Any]


def promises(folder: Path) -> list[str]:
    """The lines of all that is in the folder."""
    lines = set(promised_by_api(json.loads((folder / "openapi.json").read_text())))
    for file in (folder / "cli" / "schemas").glob("*.json"):
        schema = json.loads(file.read_text())
        lines |= set(promised_by_answer(schema["title"], schema, schema))
    return sorted(lines)


def broken(kept: Iterable[str], made: Iterable[str]) -> list[str]:
    """The promises that are not kept."""
    return sorted(set(kept) - set(made))


def promised_by_api(document: Schema) -> Iterator[str]:
    """The lines of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = operation["operationId"]
            yield f"{name} is {method.upper()} {path}"
            yield from _promised_by_question(name, operation, document)
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    yield f"{name} answers {status}"
                    for kind, schema in _contents(answer):
                        yield from promised_by_answer(f"{name}{kind}", schema, document)


def promised_by_answer(name: str, schema: Schema, root: Schema) -> Iterator[str]:
    """The lines of what is answered by this schema, whose references are looked up in `root`."""
    found = _Fields(root)
    found.look(name, schema)
    for path, types in found.types.items():
        yield f"{path}{'?' if path in found.optional else ''}: {' | '.join(sorted(types))}"
        yield from (f"{path} may be {json.dumps(value)}" for value in found.values[path])


def _promised_by_question(name: str, operation: Schema, document: Schema) -> Iterator[str]:
    found = _Fields(document)
    for each in operation.get("parameters", ()):
        found.look(f"{name} {each['in']} {each['name']}", each["schema"])
        found.required[name].update([each["name"]] if each.get("required") else [])
    for kind, schema in _contents(operation.get("requestBody", {})):
        found.look(f"{name} body{kind}", schema)
    for path, types in found.types.items():
        yield from (f"{path} takes {kind}" for kind in types)
        yield from (f"{path} takes {json.dumps(value)}" for value in found.values[path])
    for path, required in found.required.items():
        yield f"{path} must have: {', '.join(sorted(required)) or 'nothing'}"


def _contents(part: Schema) -> Iterator[tuple[str, Schema]]:
    """Each form that it may have, without a name if it is JSON, and the form's schema."""
    for kind, content in part.get("content", {}).items():
        yield "" if kind == "application/json" else f" {kind}", content.get("schema", {})


class _Fields:
    """The fields of a schema by their paths."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self.types: defaultdict[str, set[str]] = defaultdict(set)
        self.values: defaultdict[str, set[Any]] = defaultdict(set)
        self.required: defaultdict[str, set[str]] = defaultdict(set)
        self.optional: set[str] = set()

    def look(self, path: str, schema: Schema, within: tuple[str, ...] = ()) -> None:
        """Take what the schema says of the field at this path. `within` are the references that led there."""
        if (reference := schema.get("$ref")) is not None:
            if reference not in within:
                self.look(path, self._at(reference), (*within, reference))
            return
        if alternatives := schema.get("anyOf") or schema.get("oneOf"):
            for each in alternatives:
                self.look(path, each, within)
            return
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        self.values[path].update(values)
        types = schema.get("type", "string" if values else "any")
        self.types[path].update([types] if isinstance(types, str) else types)
        self._look_below(path, schema, within)

    def _look_below(self, path: str, schema: Schema, within: tuple[str, ...]) -> None:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        if properties:
            self.required[path].update(required)
        self.optional.update(f"{path}.{name}" for name in properties if name not in required)
        below = {f"{path}.{name}": each for name, each in properties.items()}
        below |= {f"{path}[{place}]": each for place, each in enumerate(schema.get("prefixItems", ()))}
        below |= {f"{path}[]": schema.get("items"), f"{path}.*": schema.get("additionalProperties")}
        for name, each in below.items():
            if isinstance(each, Mapping):
                self.look(name, each, within)

    def _at(self, reference: str) -> Schema:
        found: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found  # type: ignore[no-any-return]


def main() -> None:
    """Add what is new to the lines that are kept. Ends with exit code 1 where one would be lost."""
    folder = Path(sys.argv[1])
    file, made = folder / FILE, promises(folder)
    if file.exists() and (lost := broken(file.read_text().splitlines(), made)):
        sys.exit("\n".join(["within a version nothing is removed or changed, but these would be:", *lost]))
    file.write_text("\n".join([*made, ""]))


if __name__ == "__main__":
    main()
