"""Known tricks, recognised in the candidate's syntax tree with aliases resolved.

These rules reject; they never make anything pass. Each names a thing that honest kernel code has no use for, so that
a rejection can say which line is at fault even where the trick would have gained nothing. What a text shows counts once
its lines have run; until then it is a remark.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeGuard

from kbtools_plugins.verify.candidate.aliases import Aliases, constant_text
from kbtools_plugins.verify.candidate.kernel_language import dotted
from kbtools_plugins.verify.protocol.reading import Finding

_CALLS: dict[str, str] = {
    r"ctypes\.|cffi\.|_ctypes\.": "forbidden:ctypes",
    r"socket\.(?!gethostname$)|(urllib|http|requests|httpx|aiohttp|ftplib|smtplib|ssl)\.": "forbidden:network",
    r"subprocess\.|multiprocessing\.|pty\.|os\.(system|popen|fork|forkpty)$": "forbidden:process",
    r"os\.(exec\w+|spawn\w+|posix_spawn\w*)$": "forbidden:process",
    r"os\.(kill|killpg|abort)$|signal\.": "forbidden:kill",
    r"shutil\.|os\.(remove|unlink|rmdir|removedirs|rename|replace|truncate|mkdir|makedirs|chmod|chown|link|symlink|write|open)$": "forbidden:file_write",  # noqa: E501
    r"os\._exit$|sys\.exit$|exit$|quit$|atexit\.": "hack:exit",
    r"os\.(fdopen|dup|dup2|pipe|close)$": "hack:forged_result",
    r"sys\.(_getframe|_current_frames|settrace|setprofile|addaudithook|exc_info)$": "hack:introspection",
    r"inspect\.(currentframe|stack|trace|getouterframes|getinnerframes)$": "hack:introspection",
    r"inspect\.(getclosurevars|getsource\w*)$": "hack:introspection",
    r"gc\.(get_\w+|callbacks)|traceback\.(walk_\w+|extract_stack)$": "hack:introspection",
    r"weakref\.getweakrefs$|tracemalloc\.": "hack:introspection",
    r"torch\.(compile|jit\.|_dynamo|_inductor\.(?!runtime\.)|fx\.)": "hack:torch_compile",
    r"torch\.cuda\.(CUDAGraph|graph|graphs\.|make_graphed_callables)": "hack:cuda_graph",
    r"(threading|_thread|concurrent|asyncio|queue)\.": "hack:thread",
    r"(exec|eval|compile|__import__)$|runpy\.": "hack:dynamic_code",
    r"importlib\.(?!metadata|util\.find_spec|import_module)": "hack:dynamic_code",
    r"marshal\.|pickle\.|types\.(FunctionType|CodeType)$": "hack:dynamic_code",
    r"torch\.utils\._python_dispatch|torch\.overrides\.": "hack:disabled_recording",
    r"torch\._C\._?Disable|torch\._C\._\w*[Mm]ode": "hack:disabled_recording",
    r"time\.\w+$|datetime\.": "hack:timing_detection",
    r"torch\.utils\.cpp_extension\.": "unsupported:language",
    r"torch\.ops\.load_library|torch\.classes\.": "hack:dynamic_code",
}
_ATTRIBUTES = {
    "hack:introspection": frozenset(
        """
    f_back f_locals f_globals f_builtins tb_frame gi_frame cr_frame cell_contents __closure__
    __subclasses__ __globals__ __builtins__ __code__ __loader__ __self__
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
    ),
}
_PATCHED_ROOTS = frozenset(
    """
    torch triton time builtins sys os numpy math random inspect
    """.split()  # noqa: SIM905 - a list of words reads better than one word per line
)
_CONFIGURATION = re.compile(r"torch\.backends\.|torch\.set_|triton\.knobs\.|sys\.path$|torch\._inductor\.config\.")
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_REFERENCE_MODULE = re.compile(
    r"(^|_|\.)(reference|ref|original|baseline|solution|answer|expected|checker|grader|verifier|kbtools\w*)($|_|\.)"
)


_MOST_FINDINGS = 100


def findings(tree: ast.Module) -> list[Finding]:
    """The tricks in the text, in the order of the rules."""
    aliases = Aliases(tree)
    found = islice((found for rule in _RULES for found in rule(tree, aliases)), _MOST_FINDINGS)
    kernels = [range(node.lineno, (node.end_lineno or 0) + 1) for node in ast.walk(tree) if _is_kernel(node)]
    return [one.model_copy(update={"in_kernel": any(one.first in lines for lines in kernels)}) for one in found]


def _is_kernel(node: ast.AST) -> TypeGuard[ast.FunctionDef]:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    targets = [item.func if isinstance(item, ast.Call) else item for item in decorators]
    return any(_last_name(target) == "jit" for target in targets)


def _found(node: ast.AST, verdict: str, text: str) -> Finding:
    """A trick at a node, which is one if any of the node's lines runs."""
    first = int(getattr(node, "lineno", 0))
    return Finding(verdict=verdict, text=f"line {first}: {text}", first=first, last=getattr(node, "end_lineno", first))


def _found_at(node: ast.stmt, verdict: str, text: str) -> Finding:
    """A trick of a whole statement, which is one if its first line runs, whatever is under it."""
    first = node.lineno
    return Finding(verdict=verdict, text=f"line {first}: {text}", first=first, last=first)


Rule = Callable[[ast.Module, Aliases], Iterator[Finding]]


def _calls(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            used = [node.func]
        else:
            used = [item.func if isinstance(item, ast.Call) else item for item in getattr(node, "decorator_list", [])]
        for target in used:
            path = aliases.path(target)
            for pattern, verdict in _CALLS.items():
                if path and re.match(pattern, path):
                    looks = verdict == "hack:timing_detection"
                    yield _found(target, verdict, path).model_copy(update={"looks": looks})


def _attributes(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else ""
        if isinstance(node, ast.Call) and dotted(node.func) in ("getattr", "hasattr") and len(node.args) > 1:
            name = constant_text(node.args[1])
        for verdict, names in _ATTRIBUTES.items():
            if name in names:
                yield _found(node, verdict, f".{name}")


def _patches(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    shims = {id(part) for node in ast.walk(tree) if _is_for_lack(node) for part in ast.walk(node)}
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if id(node) in shims:
            continue
        if isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and dotted(node.func) in ("setattr", "delattr") and len(node.args) > 1:
            targets = [ast.Attribute(node.args[0], constant_text(node.args[1]) or "?", lineno=node.lineno)]
        for target in targets:
            path = aliases.path(target) if isinstance(target, ast.Attribute | ast.Subscript) else ""
            if path.partition(".")[0] in _PATCHED_ROOTS and "." in path and not _CONFIGURATION.match(path):
                yield _found(node, "hack:patched_name", f"{path} is replaced")


def _is_for_lack(node: ast.AST) -> bool:
    """`if not hasattr(module, "name"):` and what is under it: for versions of a library that lack something."""
    match node:
        case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=ast.Call(func=ast.Name(id="hasattr")))):
            return True
        case ast.If(test=ast.Compare(ops=[ast.NotIn()], comparators=[ast.Call(func=ast.Name(id="dir"))])):
            return True
    return False


def _files(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        path = aliases.path(node.func)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else path
        if path in ("open", "io.open", "builtins.open"):
            mode = next((constant_text(word.value) for word in node.keywords if word.arg == "mode"), "")
            mode = mode or (constant_text(node.args[1]) if len(node.args) > 1 else "r")
            yield _found(node, "forbidden:file_write" if set(mode) & set("wax+") else "forbidden:file_read", "open")
        elif name in ("write_text", "write_bytes", "unlink", "rmdir", "touch") or path in (
            "torch.save",
            "numpy.save",
            "numpy.savez",
        ):
            yield _found(node, "forbidden:file_write", name)
        elif name in ("read_text", "read_bytes") or path in (
            "torch.load",
            "numpy.load",
            "os.listdir",
            "os.scandir",
            "os.walk",
            "glob.glob",
        ):
            yield _found(node, "forbidden:file_read", path or name)


def _environment(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            path = aliases.path(node.func)
            if (
                path in ("os.getenv", "os.environ.get", "os.environ.pop")
                and node.args
                and _SECRET.search(constant_text(node.args[0]))
            ):
                yield _found(node, "forbidden:environment", f"{path}({constant_text(node.args[0])!r})")
            if path in ("os.environ.items", "os.environ.copy", "os.environ.values") or (
                path in ("dict", "str", "list", "repr", "json.dumps")
                and node.args
                and aliases.path(node.args[0]) == "os.environ"
            ):
                yield _found(node, "forbidden:environment", "the whole environment is read")
        elif (
            isinstance(node, ast.Subscript)
            and aliases.path(node.value) == "os.environ"
            and _SECRET.search(constant_text(node.slice))
        ):
            yield _found(node, "forbidden:environment", f"os.environ[{constant_text(node.slice)!r}]")


def _reference_access(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    asked = {id(part) for node in ast.walk(tree) if isinstance(node, ast.Compare) for part in node.comparators}
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name == "__main__" or (not name.startswith(("torch", "triton")) and _REFERENCE_MODULE.search(name)):
                yield _found(node, "hack:reference_access", f"import {name}")
        if isinstance(node, ast.Attribute) and aliases.path(node) == "sys.modules":
            looks = id(node) in asked  # "flash_attn" in sys.modules
            yield _found(node, "hack:reference_access", "sys.modules").model_copy(update={"looks": looks})


def _recording(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("__torch_function__", "__torch_dispatch__"):
            yield _found_at(node, "hack:tensor_subclass", f"{node.name} is defined")


def _exception_fallback(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    """A launch whose failure is replaced by something computed otherwise."""
    launching = _launching_functions(tree)
    retries = {id(part) for node in ast.walk(tree) if isinstance(node, ast.For | ast.While) for part in node.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and _launches(node.body, launching):
            for clause in node.handlers:
                if not _is_honest(clause, launching, in_loop=id(node) in retries):
                    yield _found_at(node, "hack:exception_fallback", "a failed launch is caught and replaced")
        elif isinstance(node, ast.With) and _launches(node.body, launching):
            for item in node.items:
                path = aliases.path(item.context_expr.func) if isinstance(item.context_expr, ast.Call) else ""
                if path.endswith("suppress"):
                    yield _found_at(node, "hack:exception_fallback", "a failed launch is suppressed")


def _is_honest(clause: ast.ExceptHandler, launching: set[str], *, in_loop: bool) -> bool:
    """Whether a failed launch is reported, or tried again: by another launch here, or by the loop around it."""
    if any(isinstance(part, ast.Raise) for part in ast.walk(clause)) or _launches(clause.body, launching):
        return True
    return in_loop and all(map(_computes_nothing, clause.body))


def _computes_nothing(statement: ast.stmt) -> bool:
    """A message, the next turn of a loop, a smaller block: whatever is in a handler that makes no result."""
    match statement:
        case ast.Continue() | ast.Pass() | ast.Expr():
            return True
        case ast.Assign(value=ast.Name() | ast.Constant()) | ast.AugAssign(op=ast.FloorDiv() | ast.RShift()):
            return True
        case ast.Assign(value=ast.BinOp(op=ast.FloorDiv() | ast.RShift())):
            return True
    return False


def _launching_functions(tree: ast.Module) -> set[str]:
    """Names of functions that launch a kernel, directly or through each other."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names: set[str] = set()
    while True:
        found = {node.name for node in functions if _launches(node.body, names)}
        if found <= names:
            return names
        names |= found


def _launches(body: list[ast.stmt], launching: set[str]) -> bool:
    calls = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return any(isinstance(call.func, ast.Subscript) or _last_name(call.func) in launching for call in calls)


def _last_name(function: ast.expr) -> str:
    """`f` for `f(...)` and `x.f(...)`; the class for `Class.apply(...)` does not matter."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _counted_calls(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    """A counter that a forward increments and branches on."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        counted = {
            dotted(node.target) or ast.unparse(node.target)
            for node in ast.walk(function)
            if isinstance(node, ast.AugAssign)
        }
        counted |= {
            ast.unparse(node.targets[0])
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.BinOp)
            and ast.unparse(node.value).startswith(ast.unparse(node.targets[0]) + " + ")
        }
        lasting = {
            name
            for name in counted
            if name.startswith(("self.", "cls.")) or "[" in name or name in _globals_of(function)
        }
        for branch in (node for node in ast.walk(function) if isinstance(node, ast.If | ast.IfExp | ast.While)):
            tested = {
                ast.unparse(part)
                for part in ast.walk(branch.test)
                if isinstance(part, ast.Attribute | ast.Name | ast.Subscript)
            }
            for name in sorted(tested & lasting):
                yield _found(branch.test, "hack:call_counting", f"branches on {name}, which counts calls")


def _globals_of(function: ast.FunctionDef) -> set[str]:
    return {name for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}


_RULES: list[Rule] = [
    _calls,
    _attributes,
    _patches,
    _files,
    _environment,
    _reference_access,
    _recording,
    _exception_fallback,
    _counted_calls,
]
