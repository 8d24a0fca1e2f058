"""How an exact expectation comes about: the mean of each product of sums, and which pairings or blocks give it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.derivation import Ruled, Step, rule
from tpsym.exact.graphs import expected_graph
from tpsym.exact.pairings import Gluing, gluings
from tpsym.exact.partitions import moment_by_blocks
from tpsym.exact.recursions import by_recursion
from tpsym.exact.sums import cumulants_of, expected_sums
from tpsym.exact.traces import expected_traces
from tpsym.matrices import Diagonal, Word
from tpsym.results.answers import Answer, Cell, Table
from tpsym.results.exact import ExactMean, by_powers, exponents
from tpsym.results.exact_graphs import functions_alone, graph_of, word_of
from tpsym.results.exact_names import latex_name, name
from tpsym.results.exact_parts import Cycle, Key

MAX_TOLD = 8
"""Products whose means are told one by one."""
MAX_LETTERS = 40
"""Letters of a word whose pairings are told."""
MAX_BLOCKS = 30
"""Kinds of set partitions that are told."""


@rule("Cumulants add", source="Fisher1929")
def sum_of_coordinates(found: ExactMean, key: Key) -> Expr:
    """Sums over independent coordinates have N times the cumulants of a coordinate."""
    parts = [found.expansion.parts[k] for k in key]
    size = found.expansion.context.size(parts[0].dimension)  # type: ignore[union-attr]
    functions = [f for p in parts if (f := functions_alone(found.expansion, p)) is not None]
    return expected_sums(functions, size, found.means)


@rule("Five-term recursion", source="Ledoux2009")
def power_of_a_symmetric_matrix(found: ExactMean, key: Key) -> Expr:
    """The trace of a power of one symmetric Gaussian matrix."""
    return traces_of_words(found, key)


@rule("Loop equations", source="Isserlis1918")
def traces_of_words(found: ExactMean, key: Key) -> Expr:
    """Traces of words, one letter after the other paired with its partners."""
    words = [w for w in words_of(found, key) if w is not None]
    return expected_traces(words, found.expansion.context.n, mean=found.means)


@rule("Wick's formula", source="Isserlis1918")
def contraction(found: ExactMean, key: Key) -> Expr:
    """Sums over indices of entries, one entry after the other paired with its partners."""
    return expected_graph(graph_of(found.expansion, key), found.expansion.context.n, mean=found.means)


def words_of(found: ExactMean, key: Key) -> list[Word | None]:
    """The factors that are traces of words."""
    parts = (found.expansion.parts[k] for k in key)
    return [word_of(found.expansion, p) if isinstance(p, Cycle) else None for p in parts]


def rule_for(found: ExactMean, key: Key) -> Ruled[[ExactMean, Key], Expr]:
    """The rule that gives the mean of a product."""
    parts = [found.expansion.parts[k] for k in key]
    words = words_of(found, key)
    if all(w is not None for w in words):
        (first, *rest) = words
        single = first is not None and not rest and by_recursion(first, found.expansion.context.n) is not None
        return power_of_a_symmetric_matrix if single else traces_of_words
    alone = [functions_alone(found.expansion, p) for p in parts]
    if all(f is not None for f in alone) and len({p.dimension for p in parts}) == 1:  # type: ignore[union-attr]
        return sum_of_coordinates
    return contraction


def steps(found: ExactMean, latex: dict[Symbol, str]) -> Iterator[Step]:
    """The mean of each product that occurs, as far as they are few; names go to ``latex``."""
    keys = [key for key in found.terms if key]
    if len(keys) > MAX_TOLD:
        return
    for key in keys:
        used = rule_for(found, key)
        symbol = Symbol(name(found.expansion, key), real=True)
        latex.setdefault(symbol, latex_name(found.expansion, key))
        value = by_powers(used(found, key), found.expansion.context.n)
        yield Step(used.rule, symbol, value, found.span)


def tables(found: ExactMean) -> tuple[Table, ...]:
    """What the mean is made of, where it is that of one power or of traces of words."""
    n = found.expansion.context.n
    made: list[Table] = []
    keys = [key for key in found.terms if key]
    if len(keys) > MAX_TOLD:
        return ()
    for key in keys:
        words = words_of(found, key)
        if len(words) == 1 and words[0] is not None and _has_pairings(words[0]):
            made.append(pairing_table(found, key, words[0], n))
    if len(keys) == 1 and len(keys[0]) > 1 and len(set(keys[0])) == 1:
        made += [block_table(found, keys[0], n)] if rule_for(found, keys[0]) is sum_of_coordinates else []
    return tuple(t for t in made if t.rows)


def _has_pairings(word: Word) -> bool:
    return len(word) <= MAX_LETTERS and not any(isinstance(x, Diagonal) for x in word)


# --- pairings -----------------------------------------------------------------------------------------


def pairing_table(found: ExactMean, key: Key, word: Word, n: Symbol) -> Table:
    """The pairings of the letters of one trace, by the surfaces they glue."""
    coefficient = found.terms[key] * n
    rows = [
        (surface(g), sp.Integer(g.euler), "" if g.genus is None else sp.Integer(g.genus), sp.Integer(g.orientable),
         sp.Integer(g.twisted), contribution, fate(contribution, n))
        for g in gluings(word, n)
        for contribution in (by_powers(coefficient * g.contribution, n),)
    ]
    columns = ("surface", "χ", "genus", "straight", "twisted", "contribution", "limit")
    twisted = any(x[4] != 0 for x in rows)
    why = " Twisted pairings are there because entries are real." if twisted else ""
    note = ("A pairing of the letters glues the sides of a polygon to a surface, which counts ",
            n ** (Symbol("χ") - 2), f" beside a sphere.{why}")
    return Table(f"Pairings in {name(found.expansion, key)}", columns, tuple(rows), note)


def surface(gluing: Gluing) -> str:
    """What is glued, in words."""
    names = []
    if gluing.orientable:
        handles = (2 - gluing.euler) // 2
        names.append({0: "sphere", 1: "torus"}.get(handles, f"sphere with {handles} handles"))
    if gluing.twisted:
        caps = 2 - gluing.euler
        names.append({1: "projective plane", 2: "Klein bottle"}.get(caps, f"sphere with {caps} crosscaps"))
    return ", ".join(names)


def fate(contribution: Expr, n: Symbol) -> Cell:
    """What becomes of a contribution as n grows."""
    if contribution == 0:
        return "0"
    found = exponents(contribution, n)
    if S.NaN in found or (len(found) > 1 and not all(e.is_Rational for e in found)):
        return ""
    leading = max(found)
    if leading == 0:
        return "stays"
    words = "vanishes like " if leading.is_negative else "grows like " if leading.is_positive else "of order "
    return (words, n**leading)


# --- blocks -------------------------------------------------------------------------------------------


def block_table(found: ExactMean, key: Key, n: Symbol) -> Table:
    """The set partitions behind a power of one sum, by the sizes of their blocks."""
    part = found.expansion.parts[key[0]]
    function = functions_alone(found.expansion, part)
    assert function is not None
    size = found.expansion.context.size(part.dimension)  # type: ignore[union-attr]
    moments = [found.means(function**j) for j in range(1, len(key) + 1)]
    cumulants = [size * c for c in cumulants_of(moments)]
    coefficient = found.terms[key]
    rows: list[tuple[Cell, ...]] = []
    single, alone = 0, 0
    for blocks in moment_by_blocks(cumulants):
        contribution = by_powers(coefficient * blocks.contribution, n)
        if contribution == 0 and 1 in blocks.sizes:
            single, alone = single + blocks.count, alone + 1
            continue
        sizes = "{" + ", ".join(map(str, blocks.sizes)) + "}"
        rows.append((sizes, sp.Integer(blocks.count), contribution, fate(contribution, n)))
    if single:
        rows.append(("with a block of one", sp.Integer(single), S.Zero, "0, as the mean is 0"))
    note = ("A block of size b gives n times the cumulant of order b: at the scale of the central limit pairs stay,"
            " each larger block costs a factor ", n ** (1 - Symbol("b") / 2), ".")
    columns = ("blocks", "set partitions", "contribution", "limit")
    return Table(f"Set partitions in {name(found.expansion, key)}", columns,
                 tuple(rows) if len(rows) <= MAX_BLOCKS else (), note)


def told(found: Sequence[ExactMean], answer: Answer, latex: dict[Symbol, str]) -> Answer:
    """An answer with the steps and the tables of the exact expectations it contains."""
    new = [step for each in found for step in steps(each, latex)]
    made = [table for each in found for table in tables(each)]
    return replace(answer, steps=(*answer.steps, *new), tables=(*answer.tables, *made))
