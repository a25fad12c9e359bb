"""A whole README: the YAML head, the user's own text, and a section for each configuration.

Sections stand between marks. Between the marks of `yours` everything is kept as the user wrote it, as is the section of
every configuration but the one that is being pushed; a README that kbtools has not written before is kept as `yours`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any

import yaml

from kbtools.card import column_docs, privacy
from kbtools.card.facts import SplitFigures
from kbtools.card.metadata import (
    Metadata,
    SplitSize,
    dump_front,
    rows_of,
    size_category,
    split_front,
    with_config,
    with_default_spelt_out,
)
from kbtools.data.columns import type_text
from kbtools.data.io.load import SAMPLE
from kbtools.data.table import rows_text
from kbtools.lineage import Lineage, StageRecord

TEMPLATE = "dataset-card-v1.j2"
YOURS = ("<!-- yours: kbtools keeps what stands between here and the next mark -->", "<!-- end of yours -->")
_SECTION = re.compile(
    r"<!-- kbtools: config (?P<name>\S+) -->\n(?P<text>.*?)\n<!-- end of config (?P=name) -->", re.DOTALL
)
_MODEL_KEYS = ("model", "models", "sampling", "temperature", "top_p", "max_tokens", "seed")


@dataclass(frozen=True)
class Card:
    """Everything that a push knows and that the README says."""

    repo: str
    config: str
    facts: SplitFigures
    lineage: Lineage
    files: Mapping[str, list[str]]
    """Paths of the shards of each split."""
    sizes: Mapping[str, SplitSize]
    lineage_file: str
    license: str
    license_keys: Mapping[str, Any] = field(default_factory=dict)
    """`license_name` and `license_link` where the licence is `other`."""
    language: Sequence[str] = ("code",)
    empty: Sequence[str] = ()
    """Splits that have no rows and are therefore not here."""

    @property
    def uri(self) -> str:
        """Where the lineage can be read."""
        return f"hf://datasets/{self.repo}/{self.lineage_file}"

    @cached_property
    def public_lineage(self) -> Lineage:
        """The lineage without what is private; the owner and the columns are said in public anyway."""
        return privacy.public(self.lineage, [self.repo.split("/")[0], *self.facts.features])


def render(card: Card, old: str, existing: Sequence[str]) -> str:
    """The README that takes the place of `old` in a repository that holds the files `existing`."""
    metadata, text = split_front(old)
    sections = {match["name"]: privacy.public_text(match["text"]) for match in _SECTION.finditer(text)}
    sections[card.config] = section(card)
    title = f"# {metadata.get('pretty_name') or card.repo.split('/')[1]}"
    parts = [title, "\n".join([YOURS[0], _yours(text).strip("\n"), YOURS[1]])]
    for name in sorted(sections, key=lambda name: (name != "default", name)):
        parts.append(f"<!-- kbtools: config {name} -->\n{sections[name].strip()}\n<!-- end of config {name} -->")
    return dump_front(_metadata(card, metadata, existing)) + "\n" + "\n\n".join(parts) + "\n"


def _yours(text: str) -> str:
    """What the user wrote between the marks; the whole text where there are no marks."""
    _, begin, rest = text.partition(YOURS[0])
    if not begin:
        return _SECTION.sub("", text)
    kept, _, _ = rest.partition(YOURS[1])
    return kept


def _metadata(card: Card, old: Metadata, existing: Sequence[str]) -> Metadata:
    base = with_default_spelt_out(old, existing) if card.config != "default" else old
    placed = with_config(base, card.config, card.files, card.facts.features, card.sizes)
    source = card.lineage.source
    from_hub = [source.dataset] if source and source.revision else []
    own: Metadata = {
        "license": card.license,
        **card.license_keys,
        "language": old.get("language") or list(card.language),
        "tags": list(dict.fromkeys([*(old.get("tags") or []), "kbtools"])),
        "size_categories": [size_category(rows_of(placed))],
    }
    bases = list(dict.fromkeys([*(old.get("source_datasets") or []), *from_hub]))
    if bases:
        own["source_datasets"] = bases
    return {**own, **{key: value for key, value in placed.items() if key not in own}}


def section(card: Card) -> str:
    """The section of one configuration, as Markdown."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # Markdown
    environment.filters["rows"] = rows_text
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    text = (resources.files("kbtools.card") / TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(text).render(**_values(card)).strip()


def _values(card: Card) -> dict[str, Any]:
    lineage = card.public_lineage
    steps = list(zip(lineage.stages, lineage.records, strict=True))
    why_not = _not_reproducible(lineage)
    tools = ", ".join(f"{name} {version}" for name, version in lineage.versions.items())
    return {
        "config": card.config,
        "facts": card.facts,
        "versions": lineage.versions,
        "origin": _origin(lineage),
        "columns": _columns(card),
        "steps": [_step(fields, record) for fields, record in steps],
        "prompts": {name: digest for record in lineage.records for name, digest in record.prompts.items()},
        "models": [(record.stage, text) for fields, record in steps if (text := _model(fields, record))],
        "reported": _reported(lineage.records),
        "licence": _licence(card),
        "licence_warnings": _licence_warnings(card),
        "limits": _limits(card, lineage.records),
        "reproducible": not why_not,
        "not_reproducible": why_not,
        "uri": card.uri,
        "lineage_file": card.lineage_file,
        "tool_versions": tools,
    }


def _origin(lineage: Lineage) -> str:
    source = lineage.source
    if source is None:
        return "from rows that were given in memory, whose origin was not recorded"
    part = "".join(f", {key} `{value}`" for key in ("config", "split") if (value := getattr(source, key)))
    if source.limit is not None:
        part += f", the first {rows_text(source.limit)} of each split"
    if source.revision:
        return f"from [{source.dataset}](https://huggingface.co/datasets/{source.dataset}) at `{source.revision}`{part}"
    digest = f" (sha256 `{source.sha256}`)" if source.sha256 else ""
    if source.dataset == SAMPLE:
        return f"from the sample that comes with kbtools{digest}{part}"
    return f"from the local file or folder `{source.short_name}`{digest}{part}"


def _columns(card: Card) -> list[dict[str, str]]:
    known = {**column_docs.COLUMNS, **column_docs.of_judges(card.lineage.stages)}
    return [
        {"name": name, "type": type_text(feature), "meaning": known.get(name, "")}
        for name, feature in card.facts.features.items()
    ]


def _step(fields: Mapping[str, object], record: StageRecord) -> dict[str, object]:
    return {
        "stage": record.stage,
        "settings": ", ".join(f"{key} = {value}" for key, value in fields.items() if key != "stage"),
        "rows_in": record.rows_in,
        "rows_out": record.rows_out,
        "why": "; ".join(record.why()),
        "package": f"{record.distribution} {record.version}".strip(),
    }


def _model(fields: Mapping[str, object], record: StageRecord) -> str:
    known = {key: value for part in (fields, record.facts) for key, value in part.items() if key in _MODEL_KEYS}
    if not {"model", "models"} & set(known):
        return ""
    drawn = known.pop("sampling", None)
    said = {**known, **drawn} if isinstance(drawn, dict) else known
    own = ", sampling as the server has it" if drawn == {} else ""
    return ", ".join(f"{key} = {_listed(value)}" for key, value in said.items()) + own


def _listed(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _reported(records: Sequence[StageRecord]) -> str:
    told = [{"stage": record.stage, **_rounded(_figures(record.facts))} for record in records if record.facts]
    shown = yaml.safe_dump(told, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return shown if told else ""


def _figures(facts: Mapping[str, object]) -> dict[str, Any]:
    """What can be read in a list: pairs of codes are shown side by side by the report."""
    return {key: value for key, value in facts.items() if key != "code_pairs"}


def _rounded(value: object) -> Any:
    """Figures to six digits, for reading; the lineage has all of them."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _licence(card: Card) -> str:
    if card.license == "unknown":
        return "The licence of this dataset is unknown: ask the owners of the source before you use it."
    name = card.license_keys.get("license_name")
    return f"`{card.license}`" + (f" ({name})" if name else "") + ", as declared for the dataset as a whole."


def _licence_warnings(card: Card) -> list[str]:
    named = card.facts.licences
    warnings = []
    others = [
        licence for licence in named if licence not in ("unknown", card.license) and licence.lower() != card.license
    ]
    if others:
        rows = sum(named[licence] for licence in others)
        warnings.append(
            f"a licence other than `{card.license}` is named by {rows_text(rows)}: their own licence holds for them."
        )
    if named.get("unknown"):
        warnings.append(f"the licence of {rows_text(named['unknown'])} is unknown: none is named.")
    return warnings


def _limits(card: Card, records: Sequence[StageRecord]) -> list[str]:
    source = card.lineage.source
    limits = [
        f"{rows_text(rows)} failed in stage {r.stage}: {kind}." for r in records for kind, rows in r.failed.items()
    ]
    limits += [f"{record.stage}: {note}" for record in records for note in record.notes]
    if source is not None and source.cached:
        limits.append("The source was read from a local cache, offline: it was not compared with the Hub.")
    if source is not None and source.limit is not None:
        limits.append(f"Only the first {rows_text(source.limit)} of each split of the source were used.")
    limits += [f"The split `{name}` has no rows, and is not here." for name in card.empty]
    names = {record.stage for record in records}
    if "reward" in card.facts.features and "verify" not in names:
        limits.append("Rewards are those of the source; the code of these rows was not run again to check them.")
    if any("judge" in fields for fields in card.lineage.stages):
        limits.append("Labels of judges are opinions of a program or a model, not measurements.")
    return limits


def _not_reproducible(lineage: Lineage) -> str:
    if lineage.derived_from_memory or lineage.source is None:
        return "The rows came from memory, so this run cannot be repeated from its record."
    if not lineage.source.revision and lineage.source.dataset != SAMPLE:
        return f"The source is a local file or folder (`{lineage.source.short_name}`), which you need for it."
    return ""
