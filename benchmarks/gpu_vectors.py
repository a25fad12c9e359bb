"""Golden vectors of the PTX machine: the same PTX on the same operands, here and through a device's driver.

`verify_gpu.py` runs these first. Three kinds: single instructions over many operands, products of tensor cores, and the
corpus of tests/plugins/ptx. What a device rounds on its own (mma, ex2, tanh, ...) is expected to differ, by how many
steps is what is measured; anything else has to be equal to the bit.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from gpu_driver import Prepared
from ptx_exactness import ARITY
from ptx_truth import DIRECTIONS

from kbtools_plugins.ptx.bits import WIDTHS, Bits
from kbtools_plugins.ptx.launch import Buffer, launch
from kbtools_plugins.ptx.machine.arguments import Argument
from kbtools_plugins.ptx.memory.buffer import Pointer
from kbtools_plugins.ptx.numerics.formats import FORMATS, widen
from tests.plugins.ptx.exact import near_bits, random_bits
from tests.plugins.ptx.single import THREADS, kernel

COUNT = 512 * THREADS
"""Operands of each instruction."""
TILES = 64
"""Programs of each product, each on numbers of its own."""
_INTEGERS = ("s16", "u16", "s32", "u32", "s64", "u64")
_APPROXIMATE = ("ex2", "lg2", "sin", "cos", "tanh", "rsqrt", "rcp", "sqrt")
_SINCE_90 = ("tanh.approx.bf16", "ex2.approx.ftz.bf16")
_DOT = """
import triton
import triton.language as tl


@triton.jit
def multiply(a_ptr, b_ptr, c_ptr, out_ptr, ROWS: tl.constexpr, DEPTH: tl.constexpr, DTYPE: tl.constexpr):
    tile = tl.program_id(0)
    rows, depth = tl.arange(0, ROWS), tl.arange(0, DEPTH)
    a = tl.load(a_ptr + tile * ROWS * DEPTH + rows[:, None] * DEPTH + depth[None, :])
    b = tl.load(b_ptr + tile * ROWS * DEPTH + depth[:, None] * ROWS + rows[None, :])
    at = tile * ROWS * ROWS + rows[:, None] * ROWS + rows[None, :]
    tl.store(out_ptr + at, tl.dot(a, b, tl.load(c_ptr + at), out_dtype=DTYPE))
"""
_PRODUCTS = {"f16": ("float16", "float32"), "f16 into f16": ("float16", "float16"), "bf16": ("bfloat16", "float32"),
             "tf32": ("float32", "float32"), "s8": ("int8", "int32"), "e4m3": ("float8_e4m3fn", "float32"),
             "e5m2": ("float8_e5m2", "float32")}  # fmt: skip
"""Types of operands and sums, as torch calls them."""
_OF_A_BYTE = ("s8", "e4m3", "e5m2")
"""Types of which an instruction takes at least 32 in a row."""


@dataclass(frozen=True)
class Vector:
    """One launch, and the types of what its buffers hold: "f32", "s64"."""

    prepared: Prepared
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """How a device's results differ from the machine's; `steps` lie between neighbouring values of the type."""

    vector: str
    results: int
    differ: int
    nan_patterns: int
    """Of those that differ, how many are NaN in both places."""
    most_steps: int
    mean_steps: float
    of_largest: float
    """Of floats, the largest difference over the largest finite result."""
    error: str = ""
    example: str = ""
    """Operands of a single instruction and both results, as bits."""


def names() -> list[str]:
    """All vectors: single instructions, products, corpus."""
    from tests.plugins.ptx.corpus import CASES

    dots = [f"mma {name} depth {depth} {spread}" for name in _PRODUCTS for depth in (16, 32, 128)
            for spread in ("near", "wide") if depth >= 32 or name not in _OF_A_BYTE]  # fmt: skip
    return [*dots, *_instructions(), "cuda softmax", "cuda matmul", *(f"case {case.name}" for case in CASES)]


def _instructions() -> dict[str, tuple[list[str], int]]:
    """Types of an instruction's operands, and bits of its result."""
    made: dict[str, tuple[list[str], int]] = {}
    for kind, (name, arity), direction in product(("f32", "f64"), ARITY.items(), DIRECTIONS):
        made[f"{name}.{direction}.{kind}"] = [kind] * arity, WIDTHS[kind]
    for name, suffix in product(("add", "sub", "mul"), (".sat", ".ftz", ".ftz.sat")):
        made[f"{name}{suffix}.f32"] = ["f32"] * 2, 32
    for name, kind in product(("min", "max", "min.NaN", "max.NaN"), ("f16", "bf16", "f32")):
        made[f"{name}.{kind}"] = [kind] * 2, WIDTHS[kind]
    for name, kind in product(("min", "max"), ("f64",)):
        made[f"{name}.{kind}"] = [kind] * 2, 64
    for name in ("add", "sub", "mul"):
        made[f"{name}.f16"] = ["f16"] * 2, 16
    for kind in ("f16", "bf16"):
        made[f"fma.rn.{kind}"] = [kind] * 3, 16
    for kind in ("f16x2", "bf16x2"):
        made[f"fma.rn.{kind}"] = ["u32"] * 3, 32
    for name, kind in product(("abs", "neg"), ("f16", "bf16", "f32", "f64")):
        made[f"{name}.{kind}"] = [kind], WIDTHS[kind]
    made |= _approximations() | _conversions() | _whole_numbers()
    return made


def _approximations() -> dict[str, tuple[list[str], int]]:
    made: dict[str, tuple[list[str], int]] = {}
    for name, flush in product(_APPROXIMATE, ("", ".ftz")):
        if (name, flush) != ("tanh", ".ftz"):
            made[f"{name}.approx{flush}.f32"] = ["angle" if name in ("sin", "cos") else "f32"], 32
    made |= {f"{name}.approx.{kind}": ([kind], 16) for name in ("ex2", "tanh") for kind in ("f16", "bf16")
             if (name, kind) != ("ex2", "bf16")}  # fmt: skip
    made["ex2.approx.ftz.bf16"] = ["bf16"], 16
    made |= {f"div.{how}.f32": (["f32"] * 2, 32) for how in ("full", "approx", "full.ftz")}
    return made | {f"{name}.approx.ftz.f64": (["f64"], 64) for name in ("rcp", "rsqrt")}


def _conversions() -> dict[str, tuple[list[str], int]]:
    made: dict[str, tuple[list[str], int]] = {}
    for kind, direction in product(("f16", "bf16"), ("rn", "rz")):
        made[f"cvt.{direction}.{kind}.f32"] = ["f32"], 16
        made[f"cvt.{direction}.relu.{kind}.f32"] = ["f32"], 16
        made[f"cvt.{direction}.{kind}x2.f32"] = ["f32"] * 2, 32
    for direction in ("rm", "rp"):
        made[f"cvt.{direction}.f16.f32"] = ["f32"], 16
    made["cvt.rna.tf32.f32"] = ["f32"], 32
    for kind in ("e4m3x2", "e5m2x2"):
        made[f"cvt.rn.satfinite.{kind}.f32"] = ["f32"] * 2, 16
        made[f"cvt.rn.satfinite.{kind}.f16x2"] = ["u32"], 16
        made[f"cvt.rn.f16x2.{kind}"] = ["u16"], 32
    made |= {"cvt.f32.f16": (["f16"], 32), "cvt.f64.f32": (["f32"], 64), "cvt.sat.f32.f32": (["f32"], 32),
             "cvt.f64.f16": (["f16"], 64), "cvt.rn.f16.f64": (["f64"], 16)}  # fmt: skip
    for (source, target), direction in product((("f64", "f32"), ("s32", "f32"), ("u32", "f32"), ("s64", "f32"),
                                                ("u64", "f32"), ("s64", "f64"), ("u64", "f64"), ("s32", "f16"),
                                                ("s64", "f16")), DIRECTIONS):  # fmt: skip
        made[f"cvt.{direction}.{target}.{source}"] = [source], WIDTHS[target]
    for source, target, direction in product(("f16", "f32", "f64"), _INTEGERS, ("rni", "rzi", "rmi", "rpi")):
        made[f"cvt.{direction}.{target}.{source}"] = [source], WIDTHS[target]
    for kind, direction in product(("f16", "f32", "f64"), ("rni", "rzi", "rmi", "rpi")):
        made[f"cvt.{direction}.{kind}.{kind}"] = [kind], WIDTHS[kind]
    return made


def _whole_numbers() -> dict[str, tuple[list[str], int]]:
    made: dict[str, tuple[list[str], int]] = {}
    for kind in _INTEGERS:
        width = WIDTHS[kind]
        made |= {f"{name}.{kind}": ([kind] * 2, width)
                 for name in ("add", "sub", "mul.lo", "mul.hi", "div", "rem", "max", "min")}  # fmt: skip
        made[f"mad.lo.{kind}"] = [kind] * 3, width
        made[f"shr.{kind}"] = [kind, "u32"], width
        if width < 64:
            made[f"mul.wide.{kind}"] = [kind] * 2, 2 * width
    made |= {f"shl.b{width}": ([f"u{width}", "u32"], width) for width in (16, 32, 64)}
    for kind in ("s32", "s64", "u32", "u64"):
        made[f"bfe.{kind}"] = [kind, "byte", "byte"], WIDTHS[kind]
    for name, width in product(("popc", "clz"), (32, 64)):
        made[f"{name}.b{width}"] = [f"u{width}"], 32
    made |= {f"{name}.s{width}": ([f"s{width}"], width) for name in ("abs", "neg") for width in (16, 32, 64)}
    made |= {f"brev.b{width}": ([f"u{width}"], width) for width in (32, 64)}
    made["bfi.b32"] = ["u32", "u32", "byte", "byte"], 32
    made |= {f"{name}.sat.s32": (["s32"] * 2, 32) for name in ("add", "sub")}
    made |= {"mul24.lo.s32": (["s32"] * 2, 32), "mul24.hi.u32": (["u32"] * 2, 32), "sad.s32": (["s32"] * 3, 32),
             "prmt.b32": (["u32"] * 3, 32), "shf.l.wrap.b32": (["u32"] * 3, 32), "dp4a.s32.s32": (["s32"] * 3, 32),
             "shf.r.clamp.b32": (["u32"] * 3, 32)}  # fmt: skip
    return made


def made(name: str) -> Vector:
    """The launch of a name."""
    head, _, rest = name.partition(" ")
    if head == "cuda":
        return _cuda(rest)
    if head == "mma":
        return _product(*rest.replace(" depth ", "|").rsplit(" ", 1))
    return _case(rest) if head == "case" else _single(name)


def _single(opcode: str) -> Vector:
    kinds, width = _instructions()[opcode]
    operands = [_operands(kind, seed) for seed, kind in enumerate(kinds)]
    text = kernel(opcode, [width, *(8 * operand.itemsize for operand in operands)])
    if opcode in _SINCE_90:
        text = text.replace(".target sm_89", ".target sm_90")
    buffers = [Buffer("result", np.zeros(COUNT * width // 8, np.uint8))]
    buffers += [Buffer(f"operand{at}", operand.view(np.uint8).copy()) for at, operand in enumerate(operands)]
    last = opcode.rpartition(".")[2]
    result = opcode.split(".")[-2] if opcode.startswith("cvt") else last if not opcode.startswith("mul.wide") else ""
    found = result if result in WIDTHS and WIDTHS[result] == width else f"u{width}"
    named = [_DRAWN.get(kind, kind) for kind in ("f32" if found == "tf32" else found, *kinds)]
    return Vector(Prepared(text, None, (COUNT // THREADS,), buffers, THREADS // 32), tuple(named))


_DRAWN = {"angle": "f32", "byte": "u32"}
"""Operands of which an instruction takes no others: up to pi, below 256."""


def _operands(kind: str, seed: int) -> Bits:
    if kind == "angle":
        return np.random.default_rng(seed).uniform(-np.pi, np.pi, COUNT).astype(np.float32).view(np.uint32)
    if kind == "byte":
        return np.random.default_rng(seed).integers(0, 256, COUNT, dtype=np.uint32)
    if kind in FORMATS:
        half = COUNT // 2
        return np.concatenate([random_bits(kind, half, seed), near_bits(kind, COUNT - half, seed + 9)], 1).ravel()
    width = int(kind[1:])
    generator = np.random.default_rng(seed)
    bits = generator.integers(0, 1 << 64, COUNT, dtype=np.uint64) >> np.uint64(64 - width)
    return (bits >> generator.integers(0, width, COUNT).astype(np.uint64)).astype(f"u{width // 8}")


def _product(which: str, spread: str) -> Vector:
    import torch
    import triton.language as tl

    from kbtools_plugins.ptx.compile import compile_kernel
    from kbtools_plugins.verify.worker.replay.job import load_kernels
    from tests.plugins.ptx.harness import launch_arguments

    name, _, deep = which.partition("|")
    depth, rows = int(deep), 32
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        multiply = load_kernels(_DOT).multiply  # a file, where Triton finds its source
    given, summed = (getattr(torch, kind) for kind in _PRODUCTS[name])
    torch.manual_seed(depth)

    def drawn(*shape: int, dtype: torch.dtype) -> torch.Tensor:
        values = torch.randn(TILES, *shape)
        if spread == "wide":
            values *= torch.exp2(torch.randint(-6, 7, values.shape))
        return (values * 20).clamp(-128, 127).to(dtype) if not dtype.is_floating_point else values.to(dtype)

    arguments = {
        "a_ptr": drawn(rows, depth, dtype=given),
        "b_ptr": drawn(depth, rows, dtype=given),
        "c_ptr": drawn(rows, rows, dtype=summed),
        "out_ptr": torch.zeros(TILES, rows, rows, dtype=summed),
        "ROWS": rows, "DEPTH": depth,
        "DTYPE": getattr(tl, str(summed).removeprefix("torch.")),
    }  # fmt: skip
    compiled = compile_kernel(multiply, arguments, target=89 if given.itemsize == 1 else 80)
    prepared = Prepared(compiled.text, compiled.name, (TILES,), launch_arguments(compiled, arguments),
                        compiled.num_warps, compiled.shared_bytes, compiled.scratch_bytes)  # fmt: skip
    kinds = {"float32": "f32", "float16": "f16", "int32": "s32"}
    return Vector(prepared, ("u8", "u8", "u8", kinds[_PRODUCTS[name][1]]))


def _cuda(name: str) -> Vector:
    """A kernel in CUDA C++."""
    from kbtools_plugins.ptx.nvrtc import compile_cuda
    from tests.plugins.ptx.test_cuda import MATMUL, SOFTMAX

    generator = np.random.default_rng(0)
    given = [Buffer(part, generator.standard_normal(count, np.float32).view(np.uint8)) for part, count in
             (("a", 50 * 37), ("b", 37 * 41))]  # fmt: skip
    out = Buffer("out", np.zeros(4 * 50 * 41, np.uint8))
    if name == "softmax":
        prepared = Prepared(compile_cuda(SOFTMAX), name, (50,), [given[0], out, 37], 4)
        return Vector(prepared, ("f32", "f32"))
    return Vector(Prepared(compile_cuda(MATMUL), name, (3, 4), [*given, out, 50, 41, 37], 8), ("f32",) * 3)


def _case(name: str) -> Vector:
    import torch

    from kbtools_plugins.ptx.compile import compile_kernel
    from tests.plugins.ptx.corpus import CASES
    from tests.plugins.ptx.harness import launch_arguments

    case = next(found for found in CASES if found.name == name)
    torch.manual_seed(0)
    arguments = case.arguments()
    compiled = compile_kernel(case.kernel, arguments, case.options, case.target)
    given = launch_arguments(compiled, arguments)
    prepared = Prepared(compiled.text, compiled.name, case.grid, given, compiled.num_warps, compiled.shared_bytes,
                        compiled.scratch_bytes)  # fmt: skip
    kinds = dict.fromkeys(buffers(given), "")
    types = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "float64": "f64"}
    for tensor in _tensors(list(arguments.values())):
        kind = types.get(str(tensor.dtype).removeprefix("torch."), f"u{8 * tensor.itemsize}")
        for buffer in kinds:
            if buffer.data.ctypes.data == tensor.untyped_storage().data_ptr():
                kinds[buffer] = kind
    return Vector(prepared, tuple(kind or "u8" for kind in kinds.values()))


def _tensors(values: Sequence[object]) -> Iterator[object]:
    import torch

    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)


def buffers(arguments: Sequence[Argument]) -> list[Buffer]:
    """Each buffer of a launch once."""
    found = [argument.buffer if isinstance(argument, Pointer) else argument for argument in arguments]
    return list(dict.fromkeys(buffer for buffer in found if isinstance(buffer, Buffer)))


def copied(prepared: Prepared) -> Prepared:
    """The same launch in memory of its own."""
    made = {buffer: Buffer(buffer.name, buffer.data.copy()) for buffer in buffers(prepared.arguments)}

    def moved(argument: Argument) -> Argument:
        if isinstance(argument, Pointer):
            return Pointer(made[argument.buffer], argument.offset)
        return made[argument] if isinstance(argument, Buffer) else argument

    return Prepared(**{**vars(prepared), "arguments": [moved(argument) for argument in prepared.arguments]})


def on_machine(prepared: Prepared) -> None:
    """Launch on the PTX machine."""
    launch(prepared.text, prepared.entry, grid=prepared.grid, arguments=prepared.arguments,
           num_warps=prepared.num_warps, shared_bytes=prepared.shared_bytes, scratch_bytes=prepared.scratch_bytes,
           check_races=False)  # fmt: skip


def compared(name: str, run: Callable[[Prepared], None]) -> Difference:
    """A vector on the machine and by another way."""
    try:
        vector = made(name)
        here, there = copied(vector.prepared), copied(vector.prepared)
        on_machine(here)
        run(there)
    except Exception as error:  # noqa: BLE001 - a row of the table
        return Difference(name, 0, 0, 0, 0, 0.0, 0.0, f"{type(error).__name__}: {error}"[:300])
    before = buffers(vector.prepared.arguments)
    pairs = zip(before, buffers(here.arguments), buffers(there.arguments), vector.kinds, strict=True)
    return _difference(name, [(old.data, ours.data, theirs.data, kind) for old, ours, theirs, kind in pairs])


def _difference(name: str, pairs: list[tuple[Bits, Bits, Bits, str]]) -> Difference:
    results = differ = nans = most = 0
    total, worst, example = 0.0, 0.0, ""
    for old, ours, theirs, kind in pairs:
        if np.array_equal(old, ours) and np.array_equal(old, theirs):
            continue
        ours, theirs = (data.view(f"u{WIDTHS[kind] // 8}") for data in (ours, theirs))
        places = np.nonzero(ours != theirs)[0]
        results, differ = results + ours.size, differ + places.size
        both = _is_nan(ours[places], kind) & _is_nan(theirs[places], kind)
        nans += int(both.sum())
        places = places[~both]
        if not places.size:
            continue
        worst = max(worst, _of_largest(ours, theirs, kind))
        steps = np.abs(_ordered(ours[places], kind) - _ordered(theirs[places], kind))
        most, total = max(most, int(steps.max())), total + float(steps.sum())
        at = places[int(np.argmax(steps))]
        operands = [f"{view[at]:x}" for view in (data.view(f"u{WIDTHS[k] // 8}") for data, _, _, k in pairs)
                    if view.size == ours.size]  # fmt: skip
        example = f"[{at}] of {' '.join(operands)}: machine {ours[at]:x}, device {theirs[at]:x}"
    return Difference(name, results, differ, nans, most, total / max(1, results), worst, example=example)


def _of_largest(ours: Bits, theirs: Bits, kind: str) -> float:
    if kind not in FORMATS:
        return 0.0
    here, there = widen(ours, kind), widen(theirs, kind)
    both = np.isfinite(here) & np.isfinite(there)
    largest = np.abs(here[both]).max(initial=0.0)
    return float(np.abs(here[both] - there[both]).max(initial=0.0) / largest) if largest else 0.0


def _is_nan(bits: Bits, kind: str) -> Bits:
    return np.isnan(widen(bits, kind)) if kind in FORMATS else np.zeros(bits.shape, bool)


def _ordered(bits: Bits, kind: str) -> Bits:
    """Patterns as numbers that follow each other as the values do."""
    width, wide = 8 * bits.itemsize, bits.astype(object)
    if kind[0] == "u":
        return wide
    return np.where((bits >> (width - 1)).astype(bool), (1 << width - 1) - wide, wide)
