"""Engines as users name them: keywords, `--engine` and the table `[engine]` of a recipe are one description."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
)

from kbtools.errors import UsageError, did_you_mean, explain


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    scratch: str | None = None
    """Folder for the shards; one that every node sees, where there are several."""
    shards: Annotated[int, Field(ge=1)] | None = None
    """Parts that the rows are cut into for the row-wise stages; from the number of rows when not given."""

    @model_serializer(mode="wrap")
    def _with_kind(self, as_usual: SerializerFunctionWrapHandler) -> dict[str, object]:
        """The kind is always written: without it a recipe would not say which engine it means."""
        return {"kind": self.kind, **as_usual(self)}


class Processes(_Described):
    """Row-wise stages run in this many processes of this machine."""

    kind: Literal["processes"] = "processes"
    workers: Annotated[int, Field(ge=1)] | None = None
    """Processes; one for each processor when not given."""

    def __init__(self, workers: int | None = None, **fields: object) -> None:
        super().__init__(**{"workers": workers, **fields})


class Ray(_Described):
    """Row-wise stages and verification run on a Ray cluster: one that is there, or a local one that is started."""

    kind: Literal["ray"] = "ray"
    address: str = "auto"
    """HOST:PORT of the head node; with `auto` the cluster that RAY_ADDRESS or this machine knows, else a new one."""

    @field_validator("address")
    @classmethod
    def _no_client(cls, value: str) -> str:
        if value.startswith("ray://"):
            raise ValueError(
                "ray:// is the Ray client, through which every payload would travel. Run kbtools on the head node, "
                "with ray=auto, or send it there: ray job submit --address http://HEAD:8265 -- kbtools apply ..."
            )
        host, _, port = value.rpartition(":")
        if value != "auto" and not (host and port.isdecimal()):
            raise ValueError("write auto, or HOST:PORT of the head node, as in 10.0.0.1:6379")
        return value


Engine = Annotated[Processes | Ray, Field(discriminator="kind")]

_KINDS: dict[str, type[Processes | Ray]] = {"processes": Processes, "ray": Ray}
_MAIN = {"processes": "workers", "ray": "address"}
"""What is behind the equals sign."""


def parse(text: str, scratch: str | None = None, shards: int | None = None) -> Processes | Ray:
    """The engine of `--engine processes[=N]` or `--engine ray[=auto|HOST:PORT]`; UsageError says what is wrong."""
    kind, equals, value = text.partition("=")
    if kind not in _KINDS:
        raise UsageError(f"--engine {text}: write processes[=N] or ray[=auto|HOST:PORT]. {did_you_mean(kind, _KINDS)}")
    fields: dict[str, Any] = {"scratch": scratch, "shards": shards} | ({_MAIN[kind]: value} if equals else {})
    try:
        return _KINDS[kind](**fields)
    except ValidationError as error:
        raise UsageError(f"--engine {text}: {explain(error, _KINDS[kind])}") from None
