"""Writes ``docs/configuration.md`` from the typed configuration: ``python -m settings.config.document``."""

import json
from collections.abc import Iterator
from typing import Any

from settings.config.load import Config, variable
from settings.config.values import PROJECT_DIR

PAGE = PROJECT_DIR / "docs" / "configuration.md"
INTRODUCTION = f"""\
# Configuration

This page is made from the typed settings by `make docs`; do not edit it.

Every key has a default. A YAML file named by `SWAPSTATS_CONFIG` changes some, the environment changes some of those:
`stores.redis.url` is `{variable("stores.redis.url")}`, and lists and mappings are written as JSON there, such as
`{variable("ingest.brokers")}='["k1:9092"]'`. An unknown key or a wrong value stops the process and names the key.

- A *duration* has its unit: `200ms`, `5s`, `10m`, `24h`, `90d`. A *size* is bytes, or `64KiB`, `1MiB`.
- An *address* is `host:port`; to listen, `:8080` means every interface.
- A *secret* comes from the environment or from the file that its `…_file` key names; one in the YAML file is refused,
  as is a URL there that holds a password.
"""

_NAMES = {
    "boolean": "true or false",
    "file-path": "path",
    "integer": "whole number",
    "ipv4network": "network",
    "ipv6network": "network",
    "object": "mapping",
    "password": "secret",
    "string": "text",
}


def page() -> str:
    """The page as it should be now."""
    schema = Config.model_json_schema()
    groups = schema["properties"].items()
    return INTRODUCTION + "".join(_table(name, group, schema["$defs"]) for name, group in groups)


def _table(name: str, group: dict[str, Any], definitions: dict[str, Any]) -> str:
    rows = "\n".join(f"| {' | '.join(row)} |" for row in _rows(name, group, definitions, required=False))
    return f"\n## {name}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n{rows}\n"


def _rows(key: str, field: dict[str, Any], definitions: dict[str, Any], *, required: bool) -> Iterator[tuple[str, ...]]:
    """One row for a key, or the rows of all keys below it."""
    section = _section(field, definitions)
    if not section:
        meaning = " ".join(field.get("description", "").split())
        yield f"`{key}`", _kind(field), "required" if required else _default(field.get("default")), meaning
    for name, inner in section.get("properties", {}).items():
        yield from _rows(f"{key}.{name}", inner, definitions, required=name in section.get("required", []))
    for pattern in field.get("patternProperties", {}).values():
        yield from _rows(f"{key}.<name>", pattern, definitions, required=False)


def _section(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    references = [option["$ref"] for option in [field, *field.get("anyOf", [])] if "$ref" in option]
    return definitions[references[0].rpartition("/")[2]] if references else {}


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        kinds = [_kind(option) for option in field["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_kind(field['items'])}"
    name: str = field.get("format", field["type"])
    return _NAMES.get(name, name)


def _default(value: object) -> str:
    if value is None:
        return "–"
    return f"`{value if isinstance(value, str) and value else json.dumps(value)}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
