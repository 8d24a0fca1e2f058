"""Numbers for the data points of a program, which states its limits in their inner products alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sympy import Expr, Symbol

from tpsym.errors import fail
from tpsym.program.scope import Context
from tpsym.program.values import Data, Finite
from tpsym.simulate.draws import EIGENVALUE_TOLERANCE, Stream
from tpsym.simulate.payload import Array, compile_payload
from tpsym.transform.trainable import outermost

DEFAULT_SIZE = 8
"""Numbers in a data point that the program gives no size."""


def data_points(
    context: Context, values: Mapping[Symbol, float], given: Mapping[str, Sequence[float]]
) -> dict[str, Array]:
    r"""Every declared data point as numbers.

    They are those of ``given``, or of the file. Points of a size whose inner products are among ``values`` have
    these (pairs that the program never multiplies: 0); their coordinates are in the eigenvectors of the Gram
    matrix. All others are drawn by name, the same in every run, with :math:`\langle x, x\rangle = d`. An unknown
    d is the value of its symbol, else 8.

    Raises:
        TpError: ``bad-data`` for numbers that do not fit, ``no-value`` for one that is missing.
    """
    sizes = {name: value.size for name, value in outermost(context).items() if isinstance(value, Data)}
    unknown = sorted(set(given) - set(sizes))
    if unknown:
        raise fail("bad-data", f"the program has no data called {', '.join(unknown)}", expected=", ".join(sizes))
    found = _numbers(context, values, given)
    by_size: dict[Finite, list[str]] = {}
    for name, size in sizes.items():
        by_size.setdefault(size, []).append(name)
    for size, names in by_size.items():
        length = _length(context, size, values, [found[name] for name in names if name in found])
        unset = [name for name in names if name not in found]
        if any(set(pair) & set(unset) and symbol in values for pair, symbol in context.grams.items()):
            found |= _from_products(context, unset, names, length, values)
        else:
            found |= {name: _drawn(name, length or DEFAULT_SIZE) for name in unset}
    return found


def data_values(context: Context, points: Mapping[str, Array]) -> dict[Symbol, float]:
    """The inner products that the program mentions, and the sizes of data."""
    found = {symbol: float(points[a] @ points[b]) for (a, b), symbol in context.grams.items()}
    for name, value in outermost(context).items():
        if isinstance(value, Data) and isinstance(value.size.size, Symbol):
            found[value.size.size] = float(len(points[name]))
    return found


def _numbers(
    context: Context, values: Mapping[Symbol, float], given: Mapping[str, Sequence[float]]
) -> dict[str, Array]:
    """The points that are given, or written in the file."""
    parameters = {symbol.name: float(value) for symbol, value in values.items()}
    found = {}
    for name, items in context.data.items():
        if name in given and items is not None:
            raise fail("bad-data", f"the data {name} has its numbers in the file", fix="leave them out in one place")
        if name in given:
            found[name] = np.array(given[name], dtype=np.float64)
            if found[name].ndim != 1 or not np.all(np.isfinite(found[name])):
                raise fail("bad-data", f"{name} is not a list of finite numbers")
        elif items is not None:
            found[name] = np.array([_number(name, item, parameters) for item in items])
    return found


def _number(name: str, item: Expr, parameters: Mapping[str, float]) -> float:
    payload = compile_payload(item, functions={})
    missing = sorted(s.name for s in payload.symbols if s.name not in parameters)
    if missing:
        raise fail("no-value", f"{', '.join(missing)} must have a value: the data {name} depends on it")
    return float(payload(parameters))


def _length(
    context: Context, size: Finite, values: Mapping[Symbol, float], known: Sequence[Array]
) -> int | None:
    """How many numbers a point of this size has, where that is settled."""
    lengths = {len(point) for point in known}
    if size.size.is_Integer:
        lengths.add(int(size.size))
    lengths |= {round(value) for symbol, value in values.items() if symbol == size.size}
    if size.name in context.lengths:
        lengths.add(context.lengths[size.name][1])
    if len(lengths) > 1 or min(lengths, default=1) < 1:
        written = " and ".join(map(str, sorted(lengths)))
        raise fail("bad-data", f"data of size {size.name} with {written} numbers", expected="one length for all")
    return next(iter(lengths), None)


def _from_products(
    context: Context, names: Sequence[str], everyone: Sequence[str], length: int | None,
    values: Mapping[Symbol, float],
) -> dict[str, Array]:
    """Points with the inner products that are among the values."""
    numeric = [name for name in everyone if name not in names]
    if numeric:
        raise fail(
            "bad-data", f"{names[0]} is given by inner products but {numeric[0]} by numbers",
            fix="give the numbers of both",
        )
    gram = np.zeros((len(names), len(names)))
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            symbol = context.grams.get((min(a, b), max(a, b)))
            if symbol is not None and symbol not in values:
                raise fail("no-value", f"{symbol.name} must have a value, as other inner products do")
            gram[i, j] = 0.0 if symbol is None else values[symbol]
    eigenvalues, basis = np.linalg.eigh(gram)
    tolerance = EIGENVALUE_TOLERANCE * max(1e-300, float(np.max(np.abs(eigenvalues))))
    rank = int(np.sum(eigenvalues > tolerance))
    if np.any(eigenvalues < -tolerance) or (length is not None and rank > length):
        what = "not positive semi-definite" if eigenvalues[0] < -tolerance else f"of rank {rank}, more than {length}"
        raise fail("bad-data", f"the inner products of {', '.join(names)} are {what}")
    points = np.zeros((len(names), length or max(len(names), 1)))
    kept = min(points.shape[1], len(names))
    points[:, :kept] = (basis * np.sqrt(np.maximum(eigenvalues, 0.0)))[:, ::-1][:, :kept]
    return dict(zip(names, points, strict=True))


def _drawn(name: str, length: int) -> Array:
    point = Stream("data", name, 0).generator(0, 0).standard_normal(length)
    scaled: Array = point * np.sqrt(length / float(point @ point))
    return scaled
