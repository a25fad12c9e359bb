"""What the static judge reads from code."""

from __future__ import annotations

import textwrap

import pytest

from kbtools_plugins.static import CodeFacts, Unparsable, code_of, read_code

SOFTMAX = '''
import torch
import triton
import triton.language as tl

@triton.autotune(configs=[triton.Config({"BLOCK": 1024})], key=["columns"])
@triton.heuristics({"EVEN": lambda args: args["columns"] % args["BLOCK"] == 0})
@triton.jit
def softmax_rows(x_ptr, out_ptr, columns, BLOCK: tl.constexpr, EVEN: tl.constexpr):
    """Softmax of one row per program."""
    row = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    inside = offsets < columns
    x = tl.load(x_ptr + row * columns + offsets, mask=inside, other=-float("inf"))
    x = tl.exp(x - tl.max(x, axis=0))
    tl.store(out_ptr + row * columns + offsets, x / tl.sum(x, axis=0), mask=inside)

class SoftmaxNew(torch.nn.Module):
    def forward(self, x):
        out = torch.empty_like(x)
        softmax_rows[(x.shape[0],)](x, out, x.shape[1])
        return out
'''


def facts_of(code: str) -> CodeFacts:
    facts = read_code(textwrap.dedent(code))
    assert isinstance(facts, CodeFacts), facts
    return facts


def op_names(code: str) -> list[str]:
    return [op.name for op in facts_of(code).ops]


def kernel_of(body: str, header: str = "x_ptr, out_ptr, n, BLOCK: tl.constexpr") -> str:
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"import triton\nimport triton.language as tl\n@triton.jit\ndef k({header}):\n{lines}\n"


def test_kernel_facts_of_a_softmax() -> None:
    """Loads, stores, reductions, masks, tuning, constexprs and the launch are all found."""
    facts = facts_of(SOFTMAX)
    (kernel,) = facts.kernels
    assert (len(kernel.loads), len(kernel.stores)) == (1, 1)
    assert kernel.reductions == ("max", "sum")
    assert kernel.unguarded == ()
    assert kernel.loads[0].fill
    assert kernel.constexprs == ("BLOCK", "EVEN")
    assert kernel.block_sizes == ("BLOCK",)
    assert kernel.autotuned
    assert kernel.heuristics
    assert kernel.docstring
    assert [launch.kernel for launch in facts.launches] == ["softmax_rows"]


@pytest.mark.parametrize(
    "header",
    [
        "import triton\n@triton.jit",
        "from triton import jit\n@jit",
        "from triton import jit as compiled\n@compiled",
        "import triton as tr\n@tr.jit(do_not_specialize=['n'])",
        "from triton.runtime.jit import jit\n@jit",
        "@triton.jit",
    ],
)
def test_jit_is_recognised_under_every_alias(header: str) -> None:
    """Imports, renamings, decorator calls and snippets without imports all lead to a kernel."""
    assert [kernel.name for kernel in facts_of(f"{header}\ndef k(x): pass\n").kernels] == ["k"]


def test_jit_by_call_is_recognised() -> None:
    """`fast = triton.jit(slow)` makes `slow` a kernel."""
    assert [k.name for k in facts_of("def k(x): pass\nfast = triton.jit(k)\n").kernels] == ["k"]


def test_a_decorator_of_another_library_makes_no_kernel() -> None:
    """numba.jit is not triton.jit."""
    assert facts_of("from numba import jit\n@jit\ndef k(x): pass\n").kernels == ()


@pytest.mark.parametrize(
    "launch", ["k[grid](x)", "k[(1, 2)](x)", "wrap_triton(k)[grid](x)", "kernels.k[g](x)", "k.run(x)"]
)
def test_launch_forms(launch: str) -> None:
    """Every way to launch a kernel counts as a launch."""
    assert [found.kernel for found in facts_of(f"@triton.jit\ndef k(x): pass\n{launch}\n").launches] == ["k"]


def test_indexing_a_table_of_functions_is_no_launch() -> None:
    """`table[name](x)` launches nothing, because no kernel is called `table`."""
    assert facts_of("@triton.jit\ndef k(x): pass\ntable[name](x)\n").launches == ()


def test_only_block_accesses_need_masks() -> None:
    """A scalar load needs no mask; a load through `tl.arange` does, by keyword or by position."""
    kernel = facts_of(
        kernel_of("""
        offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        scale = tl.load(n)
        a = tl.load(x_ptr + offsets, offsets < 9)
        b = tl.load(x_ptr + offsets, None)
        c = tl.load(tl.make_block_ptr(x_ptr, (1,), (1,), (0,), (8,), (0,)), boundary_check=(0,))
        tl.store(out_ptr + offsets, a + b + c, mask=offsets < 9)
        """)
    ).kernels[0]
    assert [access.line for access in kernel.unguarded] == [8]
    assert [load.block for load in kernel.loads] == [False, True, True, True]


def test_loops_dots_and_atomics() -> None:
    """Loop nests, matrix products and atomic updates are counted."""
    kernel = facts_of(
        kernel_of("""
        for i in range(0, n, BLOCK):
            for j in tl.static_range(4):
                acc += tl.dot(a, b)
        tl.atomic_add(out_ptr, acc)
        """)
    ).kernels[0]
    assert (kernel.loops, kernel.loop_depth, kernel.dots, kernel.atomics) == (2, 2, 1, 1)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("for i in range(3):\n    break", "`break`"),
        ("x = tl.arange(0, 8)\ny = x[3]", "element by element"),
        ("p = tl.program_id(axis=3)", "axis 3"),
        ("x = torch.zeros(3)", "torch.zeros"),
        ("try:\n    pass\nexcept ValueError:\n    pass", "`try`"),
    ],
)
def test_what_triton_cannot_compile_is_named(body: str, what: str) -> None:
    """Constructs that Triton's compiler refuses are facts, with their line."""
    (found,) = facts_of(kernel_of(body)).kernels[0].unsupported
    assert what in found
    assert "line" in found


def test_new_axes_are_not_element_access() -> None:
    """`x[:, None]` is a view."""
    assert facts_of(kernel_of("x = tl.arange(0, 8)\ny = x[:, None]")).kernels[0].unsupported == ()


def test_submodules_count_where_forward_uses_them() -> None:
    """Layers built in `__init__` and never run are not operations; Sequential runs all of its layers."""
    code = """
        import torch.nn as nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
                self.unused = nn.LSTM(3, 4)
            def forward(self, x):
                return self.body(x).softmax(dim=1)
        """
    assert op_names(code) == ["conv2d", "batchnorm2d", "relu", "softmax"]
    assert facts_of(code).host.parameters == 3


def test_reading_a_layers_weight_does_not_run_the_layer() -> None:
    """`self.fc.weight` hands parameters on; the layer itself is not called."""
    code = """
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                self.fc = nn.Linear(3, 4)
            def forward(self, x):
                return call([self.fc.weight, x])
        """
    assert op_names(code) == []


@pytest.mark.parametrize(
    "code",
    [
        "import torch.nn.functional as G\ndef f(x): return G.log_softmax(x)",
        "from torch.nn.functional import log_softmax as ls\ndef f(x): return ls(x)",
        "from torch.nn.functional import *\ndef f(x): return log_softmax(x)",
        "import torch\nG = torch.nn.functional\ndef f(x): return G.log_softmax(x)",
        "def f(x): return x.log_softmax(-1)",
        "def f(x): return torch.special.log_softmax(x)",
        "def f(x): return torch.nn.LogSoftmax(dim=1)(x)",
        "def f(x): return torch.ops.aten.log_softmax.default(x)",
        "class M:\n def __init__(s):\n  self.a = F.log_softmax\n def forward(s, x):\n  return self.a(x)",
        "class M(nn.LogSoftmax):\n def forward(self, x):\n  return super().forward(x)",
    ],
)
def test_one_operation_under_many_names(code: str) -> None:
    """Aliases, star imports, methods, layers and stored functions are one operation."""
    (op,) = facts_of(code).ops
    assert (op.name, op.family) == ("logsoftmax", "softmax")


def test_arithmetic_counts_on_tensors_only() -> None:
    """`x * x` on a parameter is an operation; arithmetic on sizes and plain numbers is not."""
    code = """
        def f(x, w, eps: float = 1e-5, k=3):
            rows = x.shape[0] // 2
            k = k + 1
            y = x * x
            return y @ w - rows
        """
    assert op_names(code) == ["mul", "matmul", "sub"]


def test_string_methods_are_no_tensor_operations() -> None:
    """`name.split()` of something that is not a tensor does not count."""
    assert op_names("NAME = 'a b'\ndef f(): return NAME.split()") == []


def test_inputs_tests_and_main_block_are_left_out() -> None:
    """Code beside the computation says nothing about its difficulty."""
    code = """
        import torch
        def f(x): return torch.relu(x)
        def get_inputs(): return [torch.rand(4)]
        def test_f(): assert torch.svd(f(torch.rand(4)))
        if __name__ == "__main__":
            print(torch.fft.fft(f(torch.rand(3))))
        """
    assert op_names(code) == ["relu"]


def test_unknown_torch_functions_are_listed() -> None:
    """A function of torch that no family knows is named rather than passed over."""
    assert facts_of("def f(x): return torch.brandnew(x)").host.unplaced == ("torch.brandnew",)


def test_inductor_output_and_kernels_in_strings() -> None:
    """Kernels that Inductor passes as source strings are read, and external kernels are operations."""
    code = '''
        from torch._inductor.select_algorithm import extern_kernels
        kernel0 = async_compile.triton("triton_poi_fused_0", """
        import triton
        import triton.language as tl
        @triton.jit
        def triton_poi_fused_0(in_ptr0, out_ptr0, xnumel, XBLOCK: tl.constexpr):
            xindex = tl.program_id(0) * XBLOCK + tl.arange(0, XBLOCK)[:]
            tmp0 = tl.load(in_ptr0 + xindex, xindex < xnumel)
            tl.store(out_ptr0 + xindex, tmp0, xindex < xnumel)
        """, device_str="cuda")
        def call(args):
            extern_kernels.convolution(args[0], args[1])
            triton_poi_fused_0.run(args[0], grid=grid(16))
        '''
    facts = facts_of(code)
    assert [(kernel.name, kernel.inductor) for kernel in facts.kernels] == [("triton_poi_fused_0", True)]
    assert [op.name for op in facts.ops] == ["convolution"]
    assert "extern_kernels" in facts.inductor
    assert len(facts.launches) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("Here:\n```python\nx = 1\n```\nDone.", "x = 1"),
        ("```\nshort\n```\n```py\nmuch_longer = 1\n```", "much_longer = 1"),
        ("```bash\nls -la /some/long/path\n```\n```python\nx = 1\n```", "x = 1"),
        ("```python\nx = 1\n", "x = 1"),
        ("<answer>\n```python\nx = 1\n```\n</answer>", "x = 1"),
        ("BEGIN_PYTHON\nx = 1\nEND_PYTHON", "x = 1"),
        ("<think>\n```python\ndraft = 1\n```\n</think>So:\n```python\nx = 1\n```", "x = 1"),
        ("<answer>draft = 1</answer></think><answer>x = 1</answer>", "x = 1"),
        ("<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>x = 1", "x = 1"),
        ("    x = 1\n    y = 2", "x = 1\ny = 2"),
        (" x = 1\ny = 2", "x = 1\ny = 2"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''"),
    ],
)
def test_code_of_text(text: str, code: str) -> None:
    """Fences and answer wrappers are taken off, indentation is normalised."""
    assert code_of(text) == code


def test_python_that_mentions_fences_is_read_whole() -> None:
    """A docstring with a Markdown example does not replace the code around it."""
    code = 'def f(x):\n    """Use:\n```python\nf(1)\n```\n"""\n    return torch.sin(x)\n'
    assert op_names(code) == ["sin"]


def test_tags_inside_the_answers_code_do_not_cut_it() -> None:
    """`</think>` in a string of the code is code."""
    code = "def f(x):\n    tag = '</think>'\n    return torch.sin(x)"
    assert op_names(code) == ["sin"]
    assert op_names(f"<think>r</think><answer>{code}</answer>") == ["sin"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no code"),
        ("<think>```python\nx = torch.sin(y)\n```", "never ends"),
        ("<answer>def f(x): return x.sin()</answer> or <answer>def f(x): return x</answer>", "SyntaxError"),
        ("  \n\t\n", "no code"),
        ("import os", "no function"),
        ("hello", "no function"),
        ("def f(:\n  pass", "SyntaxError"),
        ("def f(x):\n    print 'Python 2'\n", "SyntaxError"),
        ("if a:\n\tx = 1\n        y = 2", "TabError"),
        ("x = 1\n\0", "null byte"),
        ("x = '\ud800'", "UnicodeEncodeError"),
        ("x = " + "9" * 10_000, "SyntaxError"),
        ("(" * 10_000, "SyntaxError"),
        ("-" * 200_000 + "1", "too deeply"),
        ("1" + "+1" * 200_000, "too deeply"),
        ("f" + "()" * 100_000, "too deeply"),
        ("if a:\n pass\n" + "elif b:\n pass\n" * 20_000, "too deeply"),
    ],
)
def test_what_cannot_be_read_is_an_outcome(text: str, words: str) -> None:
    """Text without readable code gives an Unparsable with a reason, never an exception."""
    outcome = read_code(text)
    assert isinstance(outcome, Unparsable)
    assert words in outcome.error


def test_the_line_of_a_syntax_error() -> None:
    """The line counts in the code that was extracted."""
    assert read_code("Look:\n```python\nx = 1\ny = = 2\n```") == Unparsable("SyntaxError: invalid syntax", 2)


@pytest.mark.parametrize("indentation", ["\t", "  ", "        "])
def test_any_consistent_indentation_is_read(indentation: str) -> None:
    """Tabs are as good as spaces."""
    assert op_names(f"def f(x):\n{indentation}return torch.sin(x)") == ["sin"]


def test_deep_but_parsable_code_is_read() -> None:
    """Nesting that Python's own parser still accepts needs no recursion of ours."""
    assert op_names("def f(x): return " + "torch.sin(" * 60 + "x" + ")" * 60) == ["sin"] * 60
    assert op_names("def f(x): return x" + ".sin()" * 400) == ["sin"] * 400


@pytest.mark.slow
def test_a_megabyte_of_code_is_read() -> None:
    """Large inputs are read whole: every operation is there."""
    count = 60_000
    facts = facts_of("def f(x):\n" + "    x = torch.sin(x)\n" * count + "    return x\n")
    assert len(facts.ops) == count
    assert facts.compute_ops == ("sin",)


def test_warnings_of_judged_code_stay_silent(recwarn: pytest.WarningsRecorder) -> None:
    """An invalid escape in judged code is not a warning of ours."""
    assert op_names("def f(x):\n    s = '\\d'\n    return x.sin()") == ["sin"]
    assert len(recwarn) == 0
