"""The fields of the schema as data, and as the tables of `docs/records.md`.

`python -m semiad.ledger.schema docs/records.md` writes the tables of the page anew.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from semiad.ledger.record import Plan, PlannedRun, Record

KINDS: Mapping[str, type[msgspec.Struct]] = {kind.__name__: kind for kind in (Record, Plan, PlannedRun)}
"""The classes of the schema, by name."""
TABLE = re.compile(r"(?P<start><!-- fields of (?P<kind>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
"""A table in a page, with the comments around it."""


@dataclass(frozen=True)
class Field:
    """A field of the schema.

    Attributes:
        type: the JSON schema of its values, null left out.
        nullable: whether it may be null.
        required: whether it must be there.
        description: its meaning, in a sentence.
    """

    type: Mapping[str, Any]
    nullable: bool
    required: bool
    description: str


def fields(kind: type[msgspec.Struct]) -> dict[str, Field]:
    """Collect the fields of a class of the schema, in their order."""
    schema = msgspec.json.schema_components([kind])[1][kind.__name__]
    made = {}
    for name, property_ in schema["properties"].items():
        alternatives = property_.get("anyOf", [property_])
        (type_,) = (alternative for alternative in alternatives if alternative.get("type") != "null")
        nullable = len(alternatives) > 1
        made[name] = Field(type_, nullable, name in schema["required"], property_["description"])
    return made


def type_in_words(type_: Mapping[str, Any]) -> str:
    """Describe a JSON schema in words: "number from 0 to 1", say."""
    if "$ref" in type_:
        return f"`{type_['$ref'].rpartition('/')[2]}`"
    if "enum" in type_:
        return " or ".join(f"`{msgspec.json.encode(value).decode()}`" for value in type_["enum"])
    if "anyOf" in type_:
        return " or ".join(map(type_in_words, type_["anyOf"]))
    if type_["type"] == "array":
        return f"array ({type_in_words(type_['items'])})"
    if type_["type"] == "object" and "additionalProperties" in type_:
        return f"object ({type_in_words(type_['additionalProperties'])})"
    if "minimum" not in type_:
        return str(type_["type"])
    upper = f" to {type_['maximum']}" if type_["type"] == "number" else ""  # of integers it is what a column can hold
    return f"{type_['type']} from {type_['minimum']}{upper}"


def markdown_table(kind: type[msgspec.Struct]) -> str:
    """Render the fields of a class of the schema as a Markdown table."""
    lines = ["| field | type | required | meaning |", "|---|---|---|---|"]
    for name, field in fields(kind).items():
        words = type_in_words(field.type) + (" or null" if field.nullable else "")
        lines.append(f"| `{name}` | {words} | {'yes' if field.required else 'no'} | {field.description} |")
    return "\n".join(lines) + "\n"


def with_tables(page: str) -> str:
    """Replace each table of a page, between `<!-- fields of KIND -->` and `<!-- end -->`, by that of the schema."""
    return TABLE.sub(lambda match: match["start"] + markdown_table(KINDS[match["kind"]]) + match["end"], page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text()))
