"""Conversions between all types, held against torch, fractions and whole numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from kbtools_plugins.ptx.numerics import (
    Modifiers,
    conversion,
)
from kbtools_plugins.ptx.numerics.formats import FORMATS, widen
from tests.plugins.ptx.exact import near_bits, random_bits, rounded


def f32(*values: float) -> np.ndarray:
    return np.array([values], np.float32).view(np.uint32)


@pytest.mark.parametrize(("kind", "dtype"), [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)])
def test_conversions_to_eight_bits_saturate_and_are_those_of_torch(kind: str, dtype: torch.dtype) -> None:
    bits = np.concatenate([random_bits("f32", 20_000, 9), near_bits("f32", 20_000, 9)], 1)
    largest = float(torch.finfo(dtype).max)
    values = torch.from_numpy(bits.copy()).view(torch.float32)
    expected = values.clamp(-largest, largest).to(dtype).view(torch.uint8).numpy()
    got = conversion(kind, "f32", Modifiers(rounding="rn", satfinite=True))(bits)
    number = ~np.isnan(bits.view(np.float32))
    assert np.array_equal(got[number], expected[number])
    assert set(got[~number]) == {0x7F}
    every = np.arange(256, dtype=np.uint8)[None, :]
    back = conversion("f16", kind, Modifiers(rounding="rn"))(every).view(np.float16)
    truth = torch.arange(256, dtype=torch.uint8).view(dtype).half().numpy()
    assert np.array_equal(back[0], truth, equal_nan=True)


def test_packed_conversions_put_the_first_operand_into_the_upper_half() -> None:
    high, low = f32(1.0), f32(-2.0)
    assert conversion("bf16x2", "f32", Modifiers(rounding="rn"))(high, low) == 0x3F80_C000
    eight = conversion("e4m3x2", "f32", Modifiers(rounding="rn", satfinite=True))(high, low)
    assert eight.dtype == np.uint16
    assert eight == 0x38C0
    assert conversion("f16x2", "e4m3x2", Modifiers(rounding="rn"))(eight) == 0x3C00_C000
    assert (
        conversion("e4m3x2", "f16x2", Modifiers(rounding="rn", satfinite=True))(np.array([[0x3C00_C000]], np.uint32))
        == 0x38C0
    )


def test_tf32_keeps_ten_bits_and_rounds_ties_away() -> None:
    near = conversion("tf32", "f32", Modifiers(rounding="rna"))
    assert near(f32(1 + 2.0**-11, 1 + 2.0**-12)).tolist() == f32(1 + 2.0**-10, 1.0).tolist()
    assert near(f32(-(1 + 2.0**-11))).tolist() == f32(-(1 + 2.0**-10)).tolist()


@pytest.mark.parametrize("source", ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"])
def test_integers_become_floats_with_one_rounding(source: str) -> None:

    width = int(source[1:])
    bits = np.random.default_rng(1).integers(0, 1 << width, 300, dtype=np.uint64)
    bits = np.concatenate(
        [bits, bits >> np.uint64(width // 2), np.array([0, 1, (1 << width) - 1, 1 << (width - 1)], np.uint64)]
    )
    bits = bits.astype(f"uint{width}")[None, :]
    numbers = [int(number) for number in bits.view(f"int{width}" if source[0] == "s" else bits.dtype)[0]]
    for kind in ("f16", "bf16", "f32", "f64"):
        for rounding in ("rn", "rz", "rm", "rp"):
            got = widen(conversion(kind, source, Modifiers(rounding=rounding))(bits), kind)[0]
            assert [rounded(Fraction(number), FORMATS[kind], rounding) for number in numbers] == got.tolist()


@pytest.mark.parametrize("target", ["s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"])
def test_floats_become_integers_that_are_clamped(target: str) -> None:

    width, signed = int(target[1:]), target[0] == "s"
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    rule = {"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}
    for kind in ("f32", "f64", "f16", "bf16"):
        bits = np.concatenate([random_bits(kind, 300, 2), near_bits(kind, 300, 2)], 1)
        values = widen(bits, kind)[0]
        for rounding, whole in rule.items():
            got = conversion(target, kind, Modifiers(rounding=rounding))(bits)
            got = got.view(f"int{width}" if signed else got.dtype)[0]
            for value, result in zip(values.tolist(), got.tolist(), strict=True):
                if math.isfinite(value):
                    assert result == min(max(whole(value), low), high)
    nan = {
        kind: conversion(target, kind, Modifiers(rounding="rzi"))(np.array([[FORMATS[kind].nan]], bits))
        for kind, bits in (("f32", np.uint32), ("f64", np.uint64))
    }
    assert nan["f32"] == (1 << 63 if width == 64 else 0)
    assert nan["f64"] == 1 << (width - 1)


def test_integers_are_cut_filled_up_or_clamped() -> None:
    bits = np.array([[0x80, 0x7F, 0xFF]], np.uint8)
    assert conversion("s32", "s8")(bits).view(np.int32).tolist() == [[-128, 127, -1]]
    assert conversion("u32", "u8")(bits).tolist() == [[128, 127, 255]]
    assert conversion("u8", "s8", Modifiers(saturate=True))(bits).tolist() == [[0, 127, 0]]
    long = np.array([[2**63 + 5, 2**40]], np.uint64)
    assert conversion("s32", "u64", Modifiers(saturate=True))(long).tolist() == [[2**31 - 1] * 2]
    assert conversion("u32", "s64", Modifiers(saturate=True))(long).tolist() == [[0, 2**32 - 1]]
