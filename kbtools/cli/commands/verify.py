"""`kbtools verify`: check one pair of files; the command itself comes with the built-in verification."""

from __future__ import annotations

from kbtools_plugins.verify.command import verify_command

__all__ = ["verify_command"]
