"""What a name in a kernel stands for: found where the candidate runs, used where its kernels are copied."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kbtools_plugins.verify.protocol.message import ProcessMessage


class Binding(ProcessMessage):
    """One name of one kernel at its first launch: a value, another kernel, or nothing at all."""

    kernel: str
    line: int
    """The first of the kernel's text, decorators included."""
    name: str = Field(pattern=r"^\w+$")
    kind: Literal["value", "function", "missing"]
    value: bool | int | float | str | None = None
    constexpr: bool = False
    target: str = ""
    """The kernel that a function is, and its line."""
    target_line: int = 0
    maker: Literal["triton.jit", "triton.constexpr_function", "tl.constexpr"] = "triton.jit"
    """What made it of a function."""

    def text(self) -> str:
        """The value as it is written in a module of kernels."""
        plain = repr(self.value)
        if isinstance(self.value, float) and not plain[-1].isdigit():
            plain = f"float({plain!r})"
        return f"tl.constexpr({plain})" if self.constexpr else plain
