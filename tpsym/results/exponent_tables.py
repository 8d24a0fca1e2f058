"""Tables of scaling exponents: sizes of vectors, sums over the width and their laws, regimes, maximal update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, Symbol

from tpsym.polyhedra.conditions import FALSE, TRUE, And, Condition, Expression, MaxOf, Or, compare
from tpsym.polyhedra.forms import Form, variable
from tpsym.polyhedra.translate import to_sympy
from tpsym.polyhedra.trees import variables_of
from tpsym.program.instructions import MatMul, Moment
from tpsym.program.labels import node_label
from tpsym.program.values import node_symbol
from tpsym.results.answers import Cell, Piece, Table
from tpsym.results.exponent_conditions import (
    ZERO,
    R,
    contribution,
    factored_max,
    is_possible,
    moves,
    stability,
)
from tpsym.scaling.arrays import source_name
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.sizes import Signature
from tpsym.scaling.updates import Contraction

ALIGNMENT = {
    "worst": "Alignment: what is summed over the width is taken to be correlated, a law of large numbers, wherever no "
             "symmetry of the program makes its mean vanish.",
    "everett_full": "Alignment: updates are aligned with what they meet, initial arrays are not aligned with changes "
                    "(Everett et al., 2024: full alignment).",
    "none": "Alignment: nothing is aligned with anything, every sum over the width has the size of the central limit "
            "theorem (Everett et al., 2024: no alignment).",
}
LARGE, SMALL = "law of large numbers", "central limit"
OWN = "it is along earlier values of what it meets"
FREE = "no symmetry makes the mean vanish"
MOST_LISTED = 3


def symbolic(value: Expression) -> Expr:
    """An exponent as an expression in symbols by name."""
    found: Expr = to_sympy(value, {name: Symbol(name, real=True) for name in variables_of(value)})
    return found


# --- sizes -------------------------------------------------------------------------------------------


def sizes_table(scaling: Scaling) -> Table:
    """Exponents of named vectors and of the output: at initialisation and of the change in training."""
    rows = []
    for node, label in named_nodes(scaling):
        symbol = node_symbol(node)
        rows.append((Symbol(label), _initial(scaling, symbol), _change(scaling, symbol)))
    for expr in scaling.run.setting.outputs:
        rows.append(("output", _initial(scaling, expr), _change(scaling, expr)))
    n = scaling.run.setting.scale.symbol
    note = ("A coordinate is of the order of ", n, " to the exponent. Changes are those after a few steps of training, "
            "in a stable parametrisation.")
    return Table(f"Exponents of {n}", ("", "at initialisation", "of the change"), tuple(rows), note)


def named_nodes(scaling: Scaling) -> Iterator[tuple[int, str]]:
    """The vectors of the forward pass that have names, or that an array acts on."""
    setting = scaling.run.setting
    outputs = {setting.context.nodes[s] for e in setting.outputs for s in e.free_symbols if s in setting.context.nodes}
    met = {k for uses in setting.uses.values() for u in uses if (k := u.argument) is not None}
    for node in setting.forward:
        instruction = setting.program[node]
        if node in outputs | setting.initial_vectors or getattr(instruction, "dimension", None) is None:
            continue
        if isinstance(instruction, Moment) or not (node in setting.program.labels or node in met):
            continue
        label = node_label(setting.program, node)
        if not label.startswith("#"):
            yield node, label.replace("**", "^")


def _initial(scaling: Scaling, expr: Expr) -> Cell:
    found = scaling.init(expr)
    return "zero" if found is None else symbolic(factored_max(_items(found)))


def _change(scaling: Scaling, expr: Expr) -> Cell:
    found = scaling.update(expr)
    return "never changes" if found is None else symbolic(factored_max(_items(found)))


def _items(largest: Expression) -> tuple[Form, ...]:
    """The forms of a maximum of forms."""
    items = largest.items if isinstance(largest, MaxOf) else (largest,)
    return tuple(item for item in items if isinstance(item, Form))


# --- sums --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum over the width: ``lead`` and what is summed, by which law, and why."""

    lead: Cell
    terms: Cell
    law: str
    reason: Cell


def sums_table(scaling: Scaling) -> Table:
    """Every sum over the width in the forward pass, the law that it obeys, and why; alike ones together."""
    setting, sums = scaling.run.setting, list[Sum]()
    for node in setting.forward:
        instruction = setting.program[node]
        if isinstance(instruction, MatMul):
            sums += _products(scaling, node, instruction)
        elif isinstance(instruction, Moment) and instruction.dimension is not None:
            sums += _means(scaling, node)
    alike: dict[tuple[Cell, str, Cell], dict[Cell, None]] = {}
    for item in sums:
        alike.setdefault((item.lead, item.law, item.reason), {})[item.terms] = None
    rows = tuple(((*_parts(lead), *_listed(list(terms))), law, reason) for (lead, law, reason), terms in alike.items())
    return Table(f"Sums over the width {setting.context.n}", ("sum", "obeys the", "because"), rows,
                 ALIGNMENT[setting.rules.alignment])


def _listed(cells: Sequence[Cell]) -> Iterator[Piece]:
    """The first few, with commas."""
    for k, cell in enumerate(cells[:MOST_LISTED]):
        yield from (", ",) if k else ()
        yield from _parts(cell)
    if len(cells) > MOST_LISTED:
        yield ", …"


def _products(scaling: Scaling, node: int, instruction: MatMul) -> Iterator[Sum]:
    setting = scaling.run.setting
    matrix = Symbol(setting.program.label(instruction.matrix))
    argument = _named(node_label(setting.program, instruction.vector))
    lead = (matrix, " transposed times " if instruction.transposed else " times ")
    yield Sum(lead, argument, SMALL, (matrix, " has independent centred entries"))
    if instruction.matrix in setting.by_node:
        contractions = scaling.run.last.met.get(node, [])
        yield Sum(("update of ", *lead), argument, *_law(scaling, contractions, large=OWN))


def _means(scaling: Scaling, node: int) -> Iterator[Sum]:
    label = _named(node_label(scaling.run.setting.program, node))
    start = scaling.run.first.met.get(node, [])
    yield Sum((), label, *_law(scaling, start))
    # what the last pass met first is the sum at initialisation, once more
    later = scaling.run.last.met.get(node, [])[len(start):]
    if later:
        yield Sum("change of ", label, *_law(scaling, later))


def _named(label: str) -> Cell:
    return "a vector without a name" if label.startswith("#") else Symbol(label.replace("**", "^"))


def _law(scaling: Scaling, met: Sequence[Contraction], large: str = FREE) -> tuple[str, Cell]:
    """The law of a sum and the reason."""
    if any(c.large for c in met):
        return LARGE, large
    flips = [s for c in met for s in c.symmetries]
    if not flips:
        return SMALL, "assumed"
    return SMALL, ("its mean vanishes, being odd in ", *_sources(scaling, flips[0]))


def _parts(cell: Cell) -> tuple[Piece, ...]:
    return cell if isinstance(cell, tuple) else (cell,)


def _sources(scaling: Scaling, signature: Signature) -> Iterator[str | Expr]:
    names = sorted(source_name(scaling.run.setting.program, s) for s in signature.odd)
    for k, name in enumerate(names):
        if k:
            yield ", "
        yield Symbol(name)


# --- regimes -----------------------------------------------------------------------------------------


def regimes_table(scaling: Scaling) -> Table:
    """What has to hold for each regime, one condition a line."""
    rows = [*_conjuncts("stable", stability(scaling))]
    nontrivial, features = moves(scaling), scaling.feature_sizes
    rows.append(("nontrivial", _besides("stable", nontrivial)))
    if all(form.is_constant for form in features):
        learns = any(form.constant == 0 for form in features)
        rows.append(("feature learning", "stable" if learns else "never"))
        rows.append(("kernel regime", "never" if learns or nontrivial == FALSE else "nontrivial"))
    else:
        rows.append(("feature learning", _besides("stable", compare("==", variable(R), ZERO))))
        kernel = _besides("nontrivial", compare(">", variable(R), ZERO))
        rows.append(("kernel regime", kernel if is_possible(scaling, scaling.kernel_regime) else "never"))
    if scaling.faithful != TRUE:
        rows.append(("faithful", scaling.faithful))
    return Table("Regimes", ("", "if and only if"), tuple(rows))


def _besides(regime: str, condition: Condition) -> Cell:
    """A regime with a further condition."""
    if condition in (TRUE, FALSE):
        return regime if condition == TRUE else "never"
    return (f"{regime} and (", condition, ")") if isinstance(condition, Or) else (f"{regime} and ", condition)


def _conjuncts(name: str, condition: Condition) -> Iterator[tuple[Cell, ...]]:
    items = condition.items if isinstance(condition, And) else (condition,)
    for k, item in enumerate(items):
        yield (name if k == 0 else "", item if k == len(items) - 1 else (item, " and"))


def kernel_table(scaling: Scaling) -> Table:
    """Which arrays contribute to the limiting kernel, in a stable parametrisation."""
    rows = []
    for array in scaling.run.setting.arrays:
        rows.append((Symbol(array.name), contribution(scaling, array)))
    return Table("Arrays that contribute to the kernel of the output", ("array", "if stable and"), tuple(rows))


__all__ = ["ALIGNMENT", "kernel_table", "regimes_table", "sizes_table", "sums_table", "symbolic"]
