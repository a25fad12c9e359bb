"""The environment of a warm process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kbtools_plugins.ptx.native import library


def environment(scratch: Path) -> dict[str, str]:
    """Nothing of the caller's environment but where Python finds its modules: credentials stay out."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES") if name in os.environ}
    return kept | {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        **places(scratch),
        library.CACHE: "" if os.environ.get(library.CACHE) == "" else str(library.default_folder()),
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # asking whether there is a GPU must not start CUDA before the fork
        "USER": "kbtools",
        "TRITON_INTERPRET": "0",
        "TRITON_DEFAULT_FP_FUSION": "0",  # Triton's default from 3.10 on; one run of each check is fused all the same
        "LD_BIND_NOW": "1",  # what is bound here need not be bound in each fork
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def places(scratch: Path) -> dict[str, str]:
    """What names the process's own folders: each worker has others."""
    return {
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "TRITON_CACHE_DIR": str(scratch / "triton"),
        "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor"),
    }
