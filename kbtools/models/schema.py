"""JSON schemas as strict pydantic validators: a string is never taken for a number, nor 7.0 for 7.

Covers what reply schemas use; a keyword outside of that is an error, because an ignored one would let bad replies pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, create_model

from kbtools.errors import UsageError

SCALARS = {"string": str, "integer": int, "number": float, "boolean": bool}
LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minItems": "min_length",
    "maxItems": "max_length",
}
NOTES = frozenset({"title", "description", "examples", "default", "$schema", "$id", "$comment", "strict"})
STRUCTURE = frozenset({"type", "enum", "const", "properties", "required", "additionalProperties", "items", "anyOf"})

JsonSchema = Mapping[str, Any]
"""A JSON schema as it is written: what its keywords hold, the checks below find out."""


def validator(schema: JsonSchema, name: str = "Reply") -> TypeAdapter[Any]:
    """A validator of parsed JSON; UsageError names a keyword or type that is not supported."""
    return TypeAdapter(_type_of(schema, name), config=None if _is_object(schema) else ConfigDict(strict=True))


def _type_of(schema: JsonSchema, name: str) -> Any:
    if unknown := schema.keys() - LIMITS.keys() - NOTES - STRUCTURE:
        raise UsageError(f"schema of {name}: unsupported keywords {sorted(unknown)}; supported are "
                         f"{sorted(STRUCTURE | LIMITS.keys())}")  # fmt: skip
    if "anyOf" in schema:
        return _union([_type_of(option, name) for option in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        return _choice(schema.get("enum", [schema.get("const")]))
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return _union([_type_of({**schema, "type": kind}, name) for kind in kinds])
    if kinds == "null":
        return None
    return Annotated[_plain(schema, kinds, name), Field(strict=True, **_limits(schema, kinds))]


def _choice(choices: list[object]) -> object:
    """One of these values. Literal alone would take True and 1.0 for 1."""
    literal: object = Literal[tuple(choices)]
    if all(isinstance(choice, str) for choice in choices):
        return literal

    def same_type(value: object) -> object:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise ValueError(f"Input should be one of {choices}")
        return value

    return Annotated[literal, BeforeValidator(same_type)]


def _plain(schema: JsonSchema, kind: str | None, name: str) -> Any:
    if kind == "object":
        return _object(schema, name)
    if kind == "array":
        return list[_type_of(schema.get("items", {}), f"{name} items")]  # type: ignore[misc]
    if kind in SCALARS:
        return SCALARS[kind]
    raise UsageError(f"schema of {name}: type is {kind!r}; expected one of object, array, null, {', '.join(SCALARS)}")


def _object(schema: JsonSchema, name: str) -> object:
    required = set(schema.get("required", ()))
    properties = schema.get("properties", {})
    if unknown := required - properties.keys():
        raise UsageError(f"schema of {name}: required properties {sorted(unknown)} are not declared")
    fields: dict[str, Any] = {
        f"field_{index}": (
            _type_of(field, f"{name}.{key}"),
            Field(alias=key) if key in required else Field(alias=key, default=None),
        )
        for index, (key, field) in enumerate(properties.items())
    }
    extra: Literal["forbid", "allow"] = "allow" if schema.get("additionalProperties", True) else "forbid"
    return create_model(name.replace(".", "_"), __config__=ConfigDict(extra=extra, strict=True), **fields)


def _limits(schema: JsonSchema, kind: str | None) -> dict[str, Any]:
    if kind in ("boolean", "object"):
        return {}
    return {LIMITS[word]: value for word, value in schema.items() if word in LIMITS}


def _union(options: list[Any]) -> object:
    union = options[0]
    for option in options[1:]:
        union = union | option
    return union


def _is_object(schema: JsonSchema) -> bool:
    return schema.get("type") == "object"
