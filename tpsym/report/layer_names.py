"""Names for what repeats in a recursion over layers: the angle below layer l is ``theta[l-1]``.

A value that depends on the statistics of one layer carries its index. Where the same value is met at
several layers, as θ_{l−1} in a step and θ_L in a kernel, it is stated once, as θ_l for all of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sympy import Dummy, Expr, Symbol

from tpsym.report.parts import indices_of
from tpsym.report.rows import Range, Row
from tpsym.results.answers import Recursion

Definitions = Sequence[tuple[Symbol, Expr]]


@dataclass(frozen=True, slots=True)
class Layers:
    """The index of a stack of layers and which statistics belong to it."""

    index: Symbol
    low: Expr
    high: Expr
    uniform: bool
    families: tuple[re.Pattern[str], ...]
    known: Mapping[str, Symbol]

    @classmethod
    def of(cls, recursions: Sequence[Recursion], symbols: Iterable[Symbol]) -> Layers:
        """The layers of recursions that share an index; ``symbols`` are all in use."""
        first = recursions[0]
        uniform = all((r.low, r.high) == (first.low, first.high) for r in recursions)
        families = tuple(_family(r.symbol.name, first.index.name) for r in recursions)
        known = {s.name: s for s in symbols}
        return cls(first.index, first.low, first.high, uniform, families, known)

    @property
    def range(self) -> Range | None:
        """The layers that exist: from the one before the first step."""
        return Range(self.index, self.low - 1, self.high) if self.uniform else None

    @property
    def below(self) -> str:
        """The index of the layer before."""
        return f"{self.index.name}-1"

    def of_symbol(self, symbol: Symbol) -> set[str]:
        """The layers in a name, by their indices: ``l``, ``l-1``, ``L``."""
        if symbol == self.index:
            return {symbol.name}
        for family in self.families:
            if match := family.fullmatch(symbol.name):
                return {match["layer"].replace(" ", "")}
        return {i for i in indices_of(symbol) if self.index.name in re.findall(r"\w+", i)}

    def moved(self, symbol: Symbol, old: str, new: str) -> Symbol:
        """The same statistic at another layer; ``old`` contains the index."""
        name = re.sub(rf"(?<=[\[,]){_loose(old)}(?=[\],])", new, symbol.name)
        return self.known.get(name) or Symbol(name, **symbol.assumptions0)


@dataclass(slots=True)
class _Value:
    """One value at several layers: what it is at layer l, and its names by layer."""

    base: str
    general: Dummy
    at_index: Expr | None
    names: dict[str, Symbol] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LayerNames:
    """Final names for dummies, the rows that define them, and the definitions that depend on no layer."""

    names: Mapping[Symbol, Symbol]
    rows: tuple[Row, ...]
    others: tuple[tuple[Symbol, Expr], ...]


def layer_names(definitions: Definitions, layers: Layers, taken: set[str]) -> LayerNames:
    """Name the dummies of :func:`find_parts` by layer; the names in ``taken`` are not used."""
    level = _levels(definitions, layers)
    values: list[_Value] = []
    symbolic = [(s, v) for s, v in definitions if layers.index.name in _words(level[s])]
    numbered = [(s, v) for s, v in definitions if level[s] and (s, v) not in symbolic]
    for symbol, value in [*symbolic, *numbered]:
        _place(symbol, value, level, layers, values)
    names = _final(values, layers, taken)
    by_name = dict(definitions)
    rows = tuple(_row(v, by_name, names, layers) for v in values)
    return LayerNames(names, rows, tuple((s, v.xreplace(names)) for s, v in definitions if not level[s]))


def _levels(definitions: Definitions, layers: Layers) -> dict[Symbol, str]:
    """The layer of each value, empty for those without: of several layers, the one of the step."""
    level: dict[Symbol, str] = {}
    for symbol, value in definitions:
        found: set[str] = set()
        for s in value.free_symbols:
            found |= ({level[s]} - {""}) if s in level else layers.of_symbol(s)
        symbolic = any(layers.index.name in _words(i) for i in found)
        level[symbol] = found.pop() if len(found) == 1 else layers.index.name if symbolic else ""
    return level


def _place(
    symbol: Symbol, value: Expr, level: Mapping[Symbol, str], layers: Layers, values: list[_Value]
) -> None:
    """Add a value to those it equals at another layer, or as a new one."""
    at, index = level[symbol], layers.index.name
    general = _general(value, at, level, layers, values) if index in _words(at) else None
    for known in values:
        if known.base != symbol.name or known.at_index is None or at in known.names:
            continue
        here = known.at_index if general is not None else _special(known.at_index, at, layers, values)
        if here == (value if general is None else general):
            known.names[at] = symbol
            return
    values.append(_Value(symbol.name, _like(symbol), general, {at: symbol}))


def _general(
    value: Expr, at: str, level: Mapping[Symbol, str], layers: Layers, values: Sequence[_Value]
) -> Expr | None:
    """The value at layer l, from the one at l − 1 or l; ``None`` if it is not of one of these."""
    index = layers.index.name
    if at not in (index, layers.below):
        return None
    changes: dict[Expr, Expr] = {n: v.general for v in values for n in v.names.values()}
    if at == layers.below:
        changes |= {s: layers.moved(s, at, index) for s in value.free_symbols if layers.of_symbol(s) == {at}}
        if any(level[s] != at for s in value.free_symbols if level.get(s)):
            return None
    return value.xreplace(changes)


def _special(general: Expr, at: str, layers: Layers, values: Sequence[_Value]) -> Expr | None:
    """The value at the first or last layer, or ``None`` at any other."""
    ends = {_text(layers.high): layers.high, _text(layers.low - 1): layers.low - 1}
    if at not in ends:
        return None
    index = layers.index.name
    changes: dict[Expr, Expr] = {layers.index: ends[at]}
    for s in general.free_symbols:
        if s != layers.index and index in layers.of_symbol(s):
            changes[s] = layers.moved(s, index, at)
    for v in values:
        if v.general in general.free_symbols:
            if at not in v.names:
                return None
            changes[v.general] = v.names[at]
    return general.xreplace(changes)


def _final(values: Sequence[_Value], layers: Layers, taken: set[str]) -> dict[Symbol, Symbol]:
    """``theta[l-1]``, or ``theta_1[l-1]`` where there are several."""
    count = Counter(v.base for v in values)
    met: Counter[str] = Counter()
    names: dict[Symbol, Symbol] = {}
    for value in values:
        met[value.base] += 1
        base = f"{value.base}_{met[value.base]}" if count[value.base] > 1 else value.base
        while base in taken:
            base += "'"
        for at, symbol in [*value.names.items(), (layers.index.name, value.general)]:
            names[symbol] = Symbol(f"{base}[{at}]", **symbol.assumptions0)
    return names


def _row(
    value: _Value, definitions: Mapping[Symbol, Expr], names: Mapping[Symbol, Symbol], layers: Layers
) -> Row:
    """The definition: for all layers, if it is used at more than one."""
    (symbol, *more) = value.names.values()
    if more and value.at_index is not None:
        return Row(names[value.general], value.at_index.xreplace(names), "definition", layers.range)
    return Row(names[symbol], definitions[symbol].xreplace(names))


def _family(name: str, index: str) -> re.Pattern[str]:
    """The names of a statistic at any layer, from its name at layer ``index``."""
    pieces = re.split(rf"(?<=[\[,])\s*{re.escape(index)}\s*(?=[\],])", name)
    if len(pieces) == 1:
        return re.compile(re.escape(name) + "(?P<layer>$.)")
    head, second, *rest = map(re.escape, pieces)
    return re.compile(rf"{head}(?P<layer>[^\[\],()]+){second}" + "".join(rf"(?P=layer){r}" for r in rest))


def _like(symbol: Symbol) -> Dummy:
    known = {k: v for k, v in symbol.assumptions0.items() if k != "commutative"}
    return Dummy(symbol.name, **known)


def _loose(index: str) -> str:
    return r"\s*" + r"\s*".join(re.escape(c) for c in index) + r"\s*"


def _words(index: str) -> list[str]:
    return re.findall(r"\w+", index)


def _text(expr: Expr) -> str:
    return str(expr).replace(" ", "")
