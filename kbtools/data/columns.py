"""Maps roles (module name, reference code, reward) to columns for each known layout.

A stage asks `Schema(features, overrides)` for a role and gets a column path; nested columns are written with dots
(`info.module_name`). Reading the values is `kbtools.data.table`'s part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kbtools.data.conversations.fields import REASONING_FIELDS
from kbtools.errors import SchemaError, UsageError, did_you_mean

if TYPE_CHECKING:
    from datasets import Features

Kind = Literal["text", "number", "bool", "scalar", "messages", "any"]


@dataclass(frozen=True)
class Layout:
    """A known arrangement of columns: the columns that give it away, and the paths at which it has each role."""

    name: str
    signature: frozenset[str]
    places: Mapping[str, tuple[str, ...]]


_EVALS: Mapping[str, tuple[str, ...]] = {
    "row_id": ("example_id",),
    "module_name": ("info.module_name",),
    "reference_code": ("info.python_code",),
    "triton_code": ("info.triton_code",),
    "prompt": ("prompt",),
    "completion": ("completion",),
    "answer": ("answer",),
    "reward": ("reward",),
}

LAYOUTS = (
    Layout("evals", frozenset({"completion", "info"}), _EVALS),
    Layout("rollouts", frozenset({"completion", "trajectory"}), _EVALS),
    Layout(
        "kernelbook",
        frozenset({"entry_point", "python_code", "triton_code"}),
        {
            "row_id": ("uuid",),
            "module_name": ("module_name",),
            "entry_point": ("entry_point",),
            "reference_code": ("python_code",),
            "triton_code": ("triton_code",),
        },
    ),
    Layout(
        "kernelbench",
        frozenset({"code", "level", "problem_id"}),
        {"row_id": ("problem_id",), "module_name": ("name",), "reference_code": ("code",)},
    ),
    Layout("messages", frozenset({"messages"}), {"completion": ("messages",), "prompt": ("messages",)}),
)
"""Layouts that are recognised by their columns; what they leave open is looked up in `PLAIN`."""

SHAREGPT = "conversations"
"""Column of both sides of ShareGPT's conversations; it counts where nothing else could be meant."""

PLAIN: Mapping[str, tuple[str, ...]] = {
    "row_id": ("example_id", "uuid", "id", "problem_id"),
    "module_name": ("module_name", "entry_point", "name"),
    "entry_point": ("entry_point", "module_name"),
    "reference_code": ("python_code", "reference_code", "original_python_code", "original_code"),
    "triton_code": ("triton_code", "kernel_code"),
    "prompt": ("prompt", SHAREGPT),
    "completion": ("completion", "response", "text", SHAREGPT),
    "reasoning": tuple(name for name in REASONING_FIELDS if name != "analysis"),  # as a column it is of anything
    "answer": ("answer",),
    "reward": ("reward",),
}
"""Names of the columns for each role in datasets of no known layout."""

ROLES = frozenset(PLAIN)

TEXTS = frozenset({"reference_code", "triton_code", "prompt", "completion", "answer"})
"""Roles that are texts or messages; the others may be numbers."""


class Schema:
    """The columns of one dataset, asked by role or by path."""

    def __init__(self, features: Features, columns: Mapping[str, str] | None = None) -> None:
        self.features = features
        self.overrides = dict(columns or {})
        for role in self.overrides:
            if role not in ROLES:
                raise UsageError(f"--columns: no role is called {role!r}. {did_you_mean(role, ROLES)}")

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Known layouts whose columns are all here."""
        return tuple(layout for layout in LAYOUTS if layout.signature <= set(self.features))

    def find(self, role: str) -> str:
        """Path of the column that holds this role; SchemaError when there is none or more than one."""
        if role in self.overrides:
            return self.path(self.overrides[role])
        places = self._places(role)
        if len(places) == 1:
            return places[0]
        problem = f"may be any of {', '.join(places)}" if places else "is in none of its columns"
        raise SchemaError(
            f"the {role} of this dataset {problem} (layout: {self._layout_name()}; columns: {self.describe()}). "
            f"Say where it is with --columns {role}=COLUMN.",
            missing=() if places else _names_of(role),
        )

    def has(self, role: str) -> bool:
        """Whether `find` would give a path or complain of several."""
        return role in self.overrides or bool(self._places(role))

    def locate(self, word: str) -> str:
        """Path of what a user names by a role or by a column's own path; a column of that very name wins."""
        if word in self.overrides or (word in ROLES and word not in self.features):
            return self.find(word)
        return self.path(word)

    def path(self, path: str) -> str:
        """The path itself, once it is known to exist; SchemaError names the columns that do."""
        if column_type(self.features, path) is None:
            known = all_paths(self.features)
            near = did_you_mean(path, known, all_if_none_near=False)
            raise SchemaError(
                f"there is no column {path!r}. {near}{' ' if near else ''}Columns: {self.describe()}."
                if known
                else f"there is no column {path!r}: the dataset has no columns.",
                missing=(path,),
            )
        return path

    def require(self, path: str, kind: Kind) -> str:
        """The path, once it is known to exist and to hold values of this kind."""
        found = column_type(self.features, self.path(path))
        if not _is_kind(found, kind):
            raise SchemaError(f"column {path!r} must hold {_KIND_TEXT[kind]}, but its type is {type_text(found)}.")
        return path

    def readable(self, role: str) -> str:
        """As `find`, and SchemaError where a text or messages are meant and the column holds something else."""
        path = self.find(role)
        found = column_type(self.features, path)
        only_nulls = getattr(found, "dtype", "") == "null"
        return path if role not in TEXTS or only_nulls else self.require(path, "messages")

    def describe(self) -> str:
        """The columns and their types in one line, for error messages."""
        return ", ".join(f"{name} ({type_text(feature)})" for name, feature in self.features.items()) or "none"

    def _places(self, role: str) -> list[str]:
        known = [place for layout in self.layouts for place in layout.places.get(role, ())]
        found = [place for place in dict.fromkeys(known) if column_type(self.features, place) is not None]
        if found:
            return found
        plain = [name for name in PLAIN.get(role, ()) if name in self.features]
        if len(plain) > 1:
            plain = [name for name in plain if name != SHAREGPT]
        return plain[:1] if role in _FIRST_WINS else plain

    def _layout_name(self) -> str:
        return " and ".join(layout.name for layout in self.layouts) or "plain"


_FIRST_WINS = frozenset({"row_id", "module_name", "entry_point"})
"""Roles for which several columns are common and the first of `PLAIN` is the right one."""

_KIND_TEXT: Mapping[Kind, str] = {
    "text": "text",
    "number": "numbers",
    "bool": "true or false",
    "scalar": "single values (text, numbers, true or false)",
    "messages": "text or messages (a list of {role, content}, or the same as JSON text)",
    "any": "values",
}


def _names_of(role: str) -> tuple[str, ...]:
    """Every path at which some layout has this role."""
    return (*(path for layout in LAYOUTS for path in layout.places.get(role, ())), *PLAIN.get(role, ()))


def column_type(features: Features, path: str) -> Any | None:
    """Feature at a path, or None when there is no such column; a column whose own name has dots wins."""
    if path in features:
        return features[path]
    found: Any = features
    for part in path.split("."):
        if not isinstance(found, dict) or part not in found:
            return None
        found = found[part]
    return found


def all_paths(features: Mapping[str, object], prefix: str = "") -> list[str]:
    """Every column and every nested field of a struct, dotted."""
    paths: list[str] = []
    for name, feature in features.items():
        paths.append(prefix + name)
        if isinstance(feature, dict):
            paths.extend(all_paths(feature, f"{prefix}{name}."))
    return paths


def type_text(feature: object) -> str:
    """A feature's type as people write it: `string`, `list of {role, content}`, `struct`."""
    if isinstance(feature, dict):
        return "{" + ", ".join(feature) + "}"
    inner = getattr(feature, "feature", None)
    if inner is not None:
        return f"list of {type_text(inner)}"
    return str(getattr(feature, "dtype", type(feature).__name__))


def _is_kind(feature: object, kind: Kind) -> bool:
    dtype = str(getattr(feature, "dtype", ""))
    if kind == "text":
        return dtype in ("string", "large_string", "string_view")
    if kind == "number":
        return dtype.startswith(("int", "uint", "float"))
    if kind == "bool":
        return dtype == "bool"
    if kind == "scalar":
        return type(feature).__name__ in ("Value", "ClassLabel")
    if kind == "messages":
        return is_message_list(feature) or _is_kind(feature, "text")
    return True


def is_message_list(feature: Any) -> bool:
    """Whether a feature is a list of structs with a role and a content, or ShareGPT's from and value."""
    inner = getattr(feature, "feature", None)
    return isinstance(inner, dict) and ({"role", "content"} <= set(inner) or {"from", "value"} <= set(inner))


def evals_features() -> Features:
    """The evals layout: names, order and types."""
    import datasets

    text, number = datasets.Value("string"), datasets.Value("float64")
    return datasets.Features(
        {
            "example_id": datasets.Value("int64"),
            "prompt": datasets.List({"role": text, "content": text}),
            "completion": datasets.List({"role": text, "content": text, "reasoning": text}),
            "task": text,
            "reward": number,
            "generation_ms": number,
            "scoring_ms": number,
            "total_ms": number,
            "info": {"module_name": text, "python_code": text, "triton_code": text},
            "answer": text,
            "speedup_reward": number,
            "num_turns": number,
            "oai_tools": text,
        }
    )
