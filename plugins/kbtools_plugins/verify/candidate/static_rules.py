"""Known tricks, recognised in the candidate's syntax tree with aliases resolved.

These rules reject; they never make anything pass. Each names a thing that honest kernel code has no use for, so that
a rejection can say which line is at fault even where the trick would have gained nothing. What a text shows counts once
its lines have run; until then it is a remark.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice
from typing import TypeGuard

from kbtools_plugins.verify.candidate.aliases import Aliases, constant_text
from kbtools_plugins.verify.candidate.compiled import CompiledFunctions
from kbtools_plugins.verify.candidate.kernel_language import dotted
from kbtools_plugins.verify.candidate.launch_rules import counted_calls, exception_fallback
from kbtools_plugins.verify.candidate.rule import Rule, last_name, nodes, trick, trick_of_statement
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
    r"gc\.(get_\w+|callbacks)|traceback\.(walk_\w+|\w+_stack)$": "hack:introspection",
    r"weakref\.getweakrefs$|tracemalloc\.": "hack:introspection",
    r"torch\.(compile|compiler\.compile)$|torch\.fx\.(?!wrap$)": "hack:torch_compile",
    r"torch\.jit\.(?!is_|ignore$|unused$|export$|annotate$)": "hack:torch_compile",
    r"torch\._dynamo\.(?!config\.|disable$|allow_in_graph$|disallow_in_graph$|is_|mark_|reset$|graph_break$)": "hack:torch_compile",  # noqa: E501
    r"torch\._inductor\.(?!runtime\.|config\.|async_compile\.)": "hack:torch_compile",
    r"torch\._inductor\.async_compile\.": "unsupported:inductor",
    r"torch\.cuda\.(CUDAGraph|graph|graphs\.|make_graphed_callables)": "hack:cuda_graph",
    r"threading\.(Thread|Timer|setprofile\w*|settrace\w*|excepthook)$|(_thread|concurrent|asyncio)\.": "hack:thread",
    r"(exec|eval|compile|__import__)$|runpy\.": "hack:dynamic_code",
    r"importlib\.(?!metadata|util\.(find_spec|module_from_spec)|import_module)": "hack:dynamic_code",
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
_CONFIGURATION = re.compile(
    r"torch\.backends\.|torch\.set_|triton\.knobs\.|sys\.path$|torch\._(inductor|dynamo)\.config\."
)
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_REFERENCE_MODULE = re.compile(
    r"(^|_|\.)(reference|ref|original|baseline|solution|answer|expected|checker|grader|verifier|kbtools\w*)($|_|\.)"
)


_MOST_FINDINGS = 100


def findings(tree: ast.Module) -> list[Finding]:
    """The tricks in the text, in the order of the rules."""
    aliases = Aliases(tree)
    found = islice((found for rule in _RULES for found in rule(tree, aliases)), _MOST_FINDINGS)
    kernels = [range(node.lineno, (node.end_lineno or 0) + 1) for node in nodes(tree) if _is_kernel(node)]
    return [one.model_copy(update={"in_kernel": any(one.first in lines for lines in kernels)}) for one in found]


def _is_kernel(node: ast.AST) -> TypeGuard[ast.FunctionDef]:
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    targets = [item.func if isinstance(item, ast.Call) else item for item in decorators]
    return any(last_name(target) == "jit" for target in targets)


def _calls(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    compiled = CompiledFunctions(tree, aliases)
    yield from compiled.uses(tree)
    for node in nodes(tree):
        if isinstance(node, ast.Call):
            used = [node.func]
        else:
            used = [item.func if isinstance(item, ast.Call) else item for item in getattr(node, "decorator_list", [])]
        for target in used:
            path = "" if id(target) in compiled.excused else aliases.path(target)
            for pattern, verdict in _CALLS.items():
                if path and re.match(pattern, path):
                    looks = verdict == "hack:timing_detection"
                    yield trick(target, verdict, path).model_copy(update={"looks": looks})


def _attributes(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in nodes(tree):
        name = node.attr if isinstance(node, ast.Attribute) else ""
        if isinstance(node, ast.Call) and dotted(node.func) in ("getattr", "hasattr") and len(node.args) > 1:
            name = constant_text(node.args[1])
        for verdict, names in _ATTRIBUTES.items():
            if name in names:
                yield trick(node, verdict, f".{name}")


def _patches(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    shims = {id(part) for node in nodes(tree) if _is_for_lack(node) for part in ast.walk(node)}
    for node in nodes(tree):
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
                yield trick(node, "hack:patched_name", f"{path} is replaced")


def _is_for_lack(node: ast.AST) -> bool:
    """`if not hasattr(module, "name"):` and what is under it: for versions of a library that lack something."""
    match node:
        case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=ast.Call(func=ast.Name(id="hasattr")))):
            return True
        case ast.If(test=ast.Compare(ops=[ast.NotIn()], comparators=[ast.Call(func=ast.Name(id="dir"))])):
            return True
    return False


def _files(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in nodes(tree):
        if not isinstance(node, ast.Call):
            continue
        path = aliases.path(node.func)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else path
        if path in ("open", "io.open", "builtins.open"):
            mode = next((constant_text(word.value) for word in node.keywords if word.arg == "mode"), "")
            mode = mode or (constant_text(node.args[1]) if len(node.args) > 1 else "r")
            yield trick(node, "forbidden:file_write" if set(mode) & set("wax+") else "forbidden:file_read", "open")
        elif name in ("write_text", "write_bytes", "unlink", "rmdir", "touch") or path in (
            "torch.save",
            "numpy.save",
            "numpy.savez",
        ):
            yield trick(node, "forbidden:file_write", name)
        elif name in ("read_text", "read_bytes") or path in (
            "torch.load",
            "numpy.load",
            "os.listdir",
            "os.scandir",
            "os.walk",
            "glob.glob",
        ):
            yield trick(node, "forbidden:file_read", path or name)


def _environment(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in nodes(tree):
        if isinstance(node, ast.Call):
            path = aliases.path(node.func)
            if (
                path in ("os.getenv", "os.environ.get", "os.environ.pop")
                and node.args
                and _SECRET.search(constant_text(node.args[0]))
            ):
                yield trick(node, "forbidden:environment", f"{path}({constant_text(node.args[0])!r})")
            if path in ("os.environ.items", "os.environ.copy", "os.environ.values") or (
                path in ("dict", "str", "list", "repr", "json.dumps")
                and node.args
                and aliases.path(node.args[0]) == "os.environ"
            ):
                yield trick(node, "forbidden:environment", "the whole environment is read")
        elif (
            isinstance(node, ast.Subscript)
            and aliases.path(node.value) == "os.environ"
            and _SECRET.search(constant_text(node.slice))
        ):
            yield trick(node, "forbidden:environment", f"os.environ[{constant_text(node.slice)!r}]")


def _reference_access(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    asked = {id(part) for node in nodes(tree) for part in _asked_for_one(node)}
    for node in nodes(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name == "__main__" or (not name.startswith(("torch", "triton")) and _REFERENCE_MODULE.search(name)):
                yield trick(node, "hack:reference_access", f"import {name}")
        if isinstance(node, ast.Attribute) and aliases.path(node) == "sys.modules":
            looks = id(node) in asked
            yield trick(node, "hack:reference_access", "sys.modules").model_copy(update={"looks": looks})


def _asked_for_one(node: ast.AST) -> list[ast.expr]:
    """What a text asks for one thing alone that it names: `"flash_attn" in x`, `x.get("numpy")`, `x["numpy"]`."""
    match node:
        case ast.Compare(comparators=others):
            return others
        case ast.Call(func=ast.Attribute(value=owner, attr="get"), args=[name, *_]) if _is_harmless(name):
            return [owner]
        case ast.Subscript(value=owner, slice=name, ctx=ast.Load()) if _is_harmless(name):
            return [owner]
    return []


def _is_harmless(name: ast.expr) -> bool:
    """Whether a module's name is written down, or is the candidate's own, and is no reference's."""
    if isinstance(name, ast.Name):
        return name.id == "__name__"
    known = constant_text(name)
    return bool(known) and known != "__main__" and not _REFERENCE_MODULE.search(known)


def _recording(tree: ast.Module, aliases: Aliases) -> Iterator[Finding]:
    for node in nodes(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("__torch_function__", "__torch_dispatch__"):
            yield trick_of_statement(node, "hack:tensor_subclass", f"{node.name} is defined")


_RULES: list[Rule] = [
    _calls,
    _attributes,
    _patches,
    _files,
    _environment,
    _reference_access,
    _recording,
    exception_fallback,
    counted_calls,
]
