"""What a verdict depends on besides the two texts: versions, settings, and what this machine can enforce."""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata

from kbtools.errors import ConfigError
from kbtools_plugins.verify import devices
from kbtools_plugins.verify.host import sandbox
from kbtools_plugins.verify.protocol.tolerance import TF32_TOLERANCE, TOLERANCE
from kbtools_plugins.verify.settings import VerifySettings, on_gpu


def fingerprint(settings: VerifySettings) -> dict[str, str]:
    """What a verdict depends on besides the two texts."""
    missing = [name for name, there in sandbox.available().items() if not there]
    return {
        "torch": _version("torch"),
        "triton": _version("triton"),
        "device": _device(settings),
        "tolerances": ", ".join(
            f"{dtype} {tolerance:g}" for dtype, tolerance in [*TOLERANCE.items(), ("tf32", TF32_TOLERANCE)]
        ),
        "settings": settings.model_dump_json(exclude={"seed"}),
        "not enforced": ", ".join(missing) or "nothing",
    }


def require_sandbox(settings: VerifySettings) -> None:
    missing = [name for name, there in sandbox.available().items() if not there]
    if settings.require_sandbox and missing:
        raise ConfigError(
            f"This machine cannot enforce {', '.join(missing)}; run without --require-sandbox to verify regardless."
        )


def _device(settings: VerifySettings) -> str:
    if on_gpu(settings):
        return ", ".join(sorted({f"{device.name} (sm_{device.capability})" for device in devices.found()[0]}))
    return f"cpu ({platform.machine()})"


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"
