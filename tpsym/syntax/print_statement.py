"""Statements to cells: the parts that formatting may align with those of neighbouring lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tpsym.errors import Span
from tpsym.syntax import tree
from tpsym.syntax.print_expression import Printer


def cells(statement: tree.Statement) -> list[str]:
    """The parts of a statement that are aligned with those of its neighbours."""
    printer = Printer(breaks=True)
    show = printer.enclosed
    match statement:
        case tree.Size():
            items = (name.text + (f" = {show(value)}" if value else "") for name, value in statement.items)
            return [f"{statement.kind} {', '.join(items)}"]
        case tree.Param():
            domains = " ".join(each.text for each in statement.domains)
            head = f"param {_targets(statement.targets)}" + (f": {domains}" if domains else "")
            return [head, *_given(statement.default), *_fors(statement.clauses)]
        case tree.Input():
            shape = printer.shape(statement.shape)
            head = f"input {_targets(statement.targets)}:"
            return [head, shape, *_given(statement.value), *_fors(statement.clauses)]
        case tree.Random():
            word = "weight" if statement.trained else "random"
            law = [f"~ {_law(statement.law)}"] if statement.law else []
            head = f"{word} {_targets(statement.targets)}:"
            return [head, printer.shape(statement.shape), *law, *_fors(statement.clauses)]
        case tree.Assume():
            return [f"assume {show(statement.condition)}", *_fors(statement.clauses)]
        case tree.Fn():
            body = _given(statement.body)
            return [f"fn {statement.name.text}{_parameters(statement.parameters)}", *body]
        case tree.Parametrization():
            return [f"parametrization {statement.name.text}"]
        case tree.Assign():
            return [_target(statement.target), *_given(statement.value), *_fors(statement.clauses)]
        case tree.Return():
            return [f"return {show(statement.value)}"]
        case tree.Train():
            options = "".join(f", {name} = {show(value)}" for name, value in statement.options)
            head = f"train {statement.name.text} = {show(statement.network)}"
            return [f"{head} with {show(statement.optimizer)}{options}"]
        case tree.Derive():
            return [f"derive {show(statement.value)}"]
        case tree.Let():
            head = f"let {_target(statement.target)}{_parameters(statement.parameters)}"
            return [head, " ".join([f"= {show(statement.value)}", *_tail(statement)])]
        case tree.Claim():
            return [label(statement), " ".join([show(statement.relation), *_tail(statement)])]
        case _:
            raise TypeError(f"no cells for {type(statement).__name__}")


def _target(target: tree.Target) -> str:
    indices = ", ".join(Printer(tight=True).show(index) for index in target.indices)
    return target.name.text + (f"[{indices}]" if indices else "")


def _targets(targets: Iterable[tree.Target]) -> str:
    return ", ".join(map(_target, targets))


def _parameters(parameters: tuple[tree.Name, ...]) -> str:
    return f"({', '.join(each.text for each in parameters)})" if parameters else ""


def _given(value: tree.Expr | None) -> list[str]:
    return [f"= {Printer(breaks=True).enclosed(value)}"] if value else []


def _fors(clauses: tuple[tree.For, ...]) -> list[str]:
    return [Printer().clauses(clauses)] if clauses else []


def _law(law: tree.Law) -> str:
    printer = Printer(breaks=True)
    both = (law.mean, law.covariance)
    start = Span(law.span.line, 1, law.span.line, 1)
    return f"N({printer.listed(both, start, law.span, lambda place: printer.show(both[place]))})"


def where_text(items: Iterable[tree.Expr | tree.Binding]) -> str:
    show = Printer(breaks=True).enclosed
    return ", ".join(
        f"{_target(item.target)} = {show(item.value)}" if isinstance(item, tree.Binding) else show(item)
        for item in items
    )


def _tail(statement: tree.Claim | tree.Let) -> list[str]:
    where = [f"where {where_text(statement.where)}"] if statement.where else []
    return where + _fors(statement.clauses)


def label(claim: tree.Claim) -> str:
    return f'claim "{_escaped(claim.label, quotes=True)}":'


def title(text: str) -> str:
    end = "\n" if "\n" in text else ""
    return f'"""{_escaped(text, quotes=text.endswith(chr(34)) or chr(34) * 3 in text)}{end}"""'


def _escaped(text: str, *, quotes: bool) -> str:
    slashed = re.sub(r'\\(?=[\\"]|\Z)', r"\\\\", text)
    return slashed.replace('"', '\\"') if quotes else slashed
