"""What every message between processes is: a frozen model that refuses fields and types which it does not know.

A reply comes from a process that ran foreign code, so its shape is checked like any other input: what does not fit is
a fault of the process that sent it.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from kbtools_plugins.verify.protocol.wire import Tree


class WrongShape(Exception):
    """A message is not what its kind of message has to be; the text names the first field at fault."""


class ProcessMessage(BaseModel):
    """A job, a reply, or a part of one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)

    @classmethod
    def read(cls, tree: Tree) -> Self:
        """The message in a tree; WrongShape if there is none."""
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise WrongShape(f"{cls.__name__}: {where}: {first['msg']}"[:500]) from None
        except RecursionError:
            raise WrongShape(f"{cls.__name__}: it is nested too deep") from None

    def tree(self) -> Tree:
        """What travels."""
        return self.model_dump()


class Tensor(ProcessMessage):
    """The elements of a tensor in logical order, with the strides that it had."""

    tensor: bytes
    dtype: str
    shape: list[int]
    stride: list[int]
