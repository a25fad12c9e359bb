"""The formats in which the sample's rollouts say the same thing: reasoning, then code.

They follow what the models behind the public rollouts write: GLM closes with an `<answer>`, Kimi puts its
code between BEGIN_PYTHON and END_PYTHON lines, and some chat templates fill in the opening `<think>`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

SYSTEM = (
    "You write GPU kernels in Triton. Reply with one complete Python file. "
    "Learnable parameters keep the names that they have in the PyTorch module."
)


class Message(NamedTuple):
    """An assistant's content and, where the server separates it, the reasoning."""

    content: str
    reasoning: str | None


def user_prompt(module_name: str, reference: str) -> str:
    """Word the task for one module; the module's source stands in it unchanged."""
    return (
        f"Rewrite the PyTorch module `{module_name}` as `{module_name}New`, an nn.Module with the same "
        "constructor and forward signature whose computation runs in Triton kernels.\n\n"
        f"```python\n{reference}```\n"
    )


def _fenced(code: str) -> str:
    return f"```python\n{code}```"


def _tagged(body: str) -> str:
    return f"<answer>\n{body.rstrip()}\n</answer>"


FORMATS: dict[str, Callable[[str, str], Message]] = {
    "think": lambda why, code: Message(f"<think>\n{why}\n</think>\n\n{_tagged(_fenced(code))}", None),
    "think-bare": lambda why, code: Message(f"<think>{why}</think>\n{_tagged(code)}", None),
    "prose": lambda why, code: Message(f"{why}\n\n{_tagged(_fenced(code))}", None),
    "prose-bare": lambda why, code: Message(f"{why}\n\n{_tagged(code)}", None),
    "field": lambda why, code: Message(_tagged(_fenced(code)), why),
    "field-bare": lambda why, code: Message(_tagged(code), why),
    "prefilled": lambda why, code: Message(f"{why}\n</think>\n\n{_tagged(_fenced(code))}", None),
    "prefilled-bare": lambda why, code: Message(f"{why}</think>{_tagged(code)}", None),
    "empty-think": lambda why, code: Message(f"<think></think>\n\n{why}\n\n{_tagged(_fenced(code))}", None),
    "kimi": lambda why, code: Message(f"BEGIN_PYTHON\n{code.rstrip()}\nEND_PYTHON", why),
    "kimi-prose": lambda why, code: Message(
        f"Here is the kernel version of the module.\n\nBEGIN_PYTHON\n{code.rstrip()}\nEND_PYTHON\n", why
    ),
}
"""Format name -> message made of (reasoning, code)."""
