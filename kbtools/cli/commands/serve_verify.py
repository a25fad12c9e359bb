"""`kbtools serve-verify`: verdicts over HTTP; the command itself comes with the built-in verification."""

from __future__ import annotations

from kbtools_plugins.verify.service.command import serve_verify_command

__all__ = ["serve_verify_command"]
