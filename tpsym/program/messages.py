"""What is said about mistakes that many places can find: unknown names, numbers of arguments, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from sympy import Basic

from tpsym.errors import Span, TpError, fail, nearest

OTHER_NAMES: Mapping[str, str] = MappingProxyType({
    "arccos": "acos(…)",
    "arcsin": "asin(…)",
    "arctan": "atan(…)",
    "average": "mean(x)",
    "cdf": "Phi(z)",
    "concat": "an index for each part: h[1], h[2]",
    "concatenate": "an index for each part: h[1], h[2]",
    "conv": "sum(W[k] @ x[mod(p + k, P)] for k in -1..1)",
    "expectation": "E[…] on the limit side, mean(x) in the program",
    "elu": "fn elu(z) = if(z > 0, z, exp(z) - 1)",
    "heaviside": "step(z)",
    "identity": "eye(n)",
    "inf": "oo",
    "infinity": "oo",
    "inner": "dot(x, y)",
    "layernorm": "a def: c = z - mean(z), then return c/sqrt(mean(c^2))",
    "ln": "log(z)",
    "logistic": "sigmoid(z)",
    "lrelu": "leaky_relu(z, slope)",
    "matmul": "W @ x",
    "norm": "sqrt(dot(x, x))",
    "normal": "N(mean, variance) after ~",
    "pow": "x^k",
    "selu": "fn selu(z) = …",
    "softmax": "exp(s[t])/sum(exp(s[k]) for k in 1..T)",
    "square": "x^2",
    "std": "sqrt(mean((x - mean(x))^2))",
    "swish": "silu(z)",
    "trace": "tr(A)",
    "transpose": "W.T",
    "var": "mean((x - mean(x))^2)",
    "variance": "mean((x - mean(x))^2)",
})
"""Names of other languages, in lower case, and how the same is written here."""


def written(expr: Basic) -> str:
    """A number or condition as it is written in the language."""
    return str(expr).replace("**", "^")


def unknown_name(name: str, span: Span, known: Iterable[str], *, hint: str | None = None) -> TpError:
    """The error for a name nobody declared, with the most likely meaning."""
    other = OTHER_NAMES.get(name.lower())
    fix = hint or (f"write {other}" if other else None)
    if not fix:
        close = similar(name, known)
        fix = f"did you mean {close!r}?" if close else f"declare {name!r} before it is used"
    return fail("unknown-name", f"unknown name {name!r}", span, fix=fix)


def similar(name: str, known: Iterable[str]) -> str | None:
    """The known name a misspelt one most likely stands for; a letter alone is only ever written in the other case."""
    names = [k for k in known if not k.startswith("$")]
    other_case = [k for k in names if k.lower() == name.lower()]
    if other_case:
        return other_case[0]
    return nearest(name, names) if len(name) > 1 else None


def not_available(what: str, span: Span, *, fix: str | None = None) -> TpError:
    """The error for a construct that is in the language but has no meaning here yet."""
    return fail("not-available", f"{what} is not available yet", span, fix=fix)


def wrong_arity(name: str, wanted: int, given: int, span: Span, *, signature: str | None = None) -> TpError:
    """The error for a call with too few or too many arguments."""
    count = "no arguments" if wanted == 0 else counted(wanted, "argument")
    return fail("wrong-argument-count", f"{name} takes {count}, {given} given", span, expected=signature)


def wrong_index_count(name: str, wanted: int, given: int, span: Span) -> TpError:
    """The error for too few or too many indices."""
    if wanted == 0:
        return fail("not-indexed", f"{name} takes no index", span, fix="drop the index")
    return fail("wrong-index-count", f"{name} takes {counted(wanted, 'index')}, {given} given", span)


def counted(number: int, noun: str) -> str:
    """``1 argument``, ``2 indices``."""
    plural = {"index": "indices"}.get(noun, noun + "s")
    return f"{number} {noun if number == 1 else plural}"


def no_named_arguments(name: str, value: Span) -> TpError:
    """The error for ``f(slope = 1)``."""
    return fail(
        "keyword-argument", f"{name} takes no named arguments", value, fix="give the value alone, by its position"
    )


def inside(error: TpError, where: str) -> TpError:
    """An error found in a function that is used elsewhere: which use it was."""
    if error.source is not None:
        return error
    diagnostics = tuple(
        d if d.code in ("not-available", "recursion") else replace(d, message=f"{d.message} (in {where})")
        for d in error.diagnostics
    )
    return TpError(diagnostics)
