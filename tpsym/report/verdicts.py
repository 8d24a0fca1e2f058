"""What ``tpsym verify`` shows: one line per claim, more where something is wrong; or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, overload

from tpsym.report.escape import columns, plain
from tpsym.report.names import unicode_name
from tpsym.report.text import wrap
from tpsym.results.answers import ClaimResult

SYMBOLS = MappingProxyType({"proved": "✓", "checked": "≈", "refuted": "✗", "undecided": "?"})
COLOURS = MappingProxyType({"proved": "green", "checked": "cyan", "refuted": "red", "undecided": "yellow"})
_CODES = {"green": "32", "cyan": "36", "red": "31", "yellow": "33", "bold": "1", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Verdicts(Sequence[ClaimResult]):
    """The verdicts on the claims of one file, by number or by label; prints as text, a table in a notebook."""

    filename: str
    claims: tuple[ClaimResult, ...]

    def __len__(self) -> int:
        return len(self.claims)

    @overload
    def __getitem__(self, key: int | str) -> ClaimResult: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[ClaimResult, ...]: ...

    def __getitem__(self, key: int | str | slice) -> ClaimResult | tuple[ClaimResult, ...]:
        if isinstance(key, str):
            return dict(self.items())[key]
        return self.claims[key]

    def keys(self) -> tuple[str, ...]:
        """The labels in the order of the file."""
        return tuple(claim.label for claim in self.claims)

    def items(self) -> tuple[tuple[str, ClaimResult], ...]:
        """Labels with their claims; of several claims with one label the last is the one found by it."""
        return tuple((claim.label, claim) for claim in self.claims)

    def to_text(self, *, columns: int = 80, color: bool = False) -> str:
        """As ``tpsym verify`` prints it."""
        return verdicts_text([(self.filename, self.claims)], width=max(columns, 40), color=color)

    def to_json(self) -> str:
        """As ``tpsym verify --json`` prints it."""
        return verdicts_json([(self.filename, self.claims)])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from tpsym.report.html_document import claims_fragment

        return claims_fragment(self.claims)


FileClaims = Sequence[tuple[str, Sequence[ClaimResult]]]


@dataclass(frozen=True, slots=True)
class Paint:
    """Wraps text in ANSI styles, or does not."""

    active: bool

    def __call__(self, text: str, style: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.active and text else text


def verdicts_text(files: FileClaims, *, width: int = 80, color: bool = False) -> str:
    """The verdicts of every file and a summary, in lines of at most ``width`` columns."""
    paint = Paint(color)
    lines: list[str] = []
    for name, claims in files:
        lines += [paint(line, "bold") for line in wrap(plain(name), width=width)]
        for claim in claims:
            lines += claim_lines(claim, width=width, paint=paint)
        if not claims:
            lines.append("  no claims")
        lines.append("")
    claims = [claim for _, found in files for claim in found]
    lines += wrap(summary_line(claims), width=width)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def summary(claims: Sequence[ClaimResult]) -> dict[str, int]:
    """How many claims have each verdict."""
    counts = Counter(claim.verdict for claim in claims)
    return {verdict: counts[verdict] for verdict in ("proved", "checked", "refuted", "undecided")}


def summary_line(claims: Sequence[ClaimResult]) -> str:
    """``7 claims: 5 proved, 2 checked``."""
    parts = [f"{count} {verdict}" for verdict, count in summary(claims).items() if count]
    total = f"{len(claims)} claim{'' if len(claims) == 1 else 's'}"
    return f"{total}: {', '.join(parts)}" if parts else total


def claim_lines(claim: ClaimResult, *, width: int, paint: Paint) -> list[str]:
    """A claim: symbol, label, verdict, line; below it how it was settled, and a witness if refuted."""
    colour = COLOURS[claim.verdict]
    label = plain(claim.label) or "(unnamed)"
    tail = f"{claim.verdict:<9}  line {claim.line}"
    room = width - 4 - columns(tail) - 2
    head = wrap(label, width=max(room, 10), indent="")
    details = _details(claim)
    if len(head) == 1 and len(details) == 1 and claim.verdict in ("proved", "checked"):
        beside = f"{label}  ({details[0][0]})"
        if columns(beside) <= room:
            head, details = [beside], []
    lines = [
        f"  {paint(SYMBOLS[claim.verdict], colour)} {head[0]}{' ' * max(2, room - columns(head[0]) + 2)}"
        f"{paint(claim.verdict, colour)}{tail[len(claim.verdict) :]}"
    ]
    lines += [f"    {line}" for line in head[1:]]
    return lines + [f"      {line}" for text, indent in details for line in wrap(text, width=width - 6, indent=indent)]


def _details(claim: ClaimResult) -> list[tuple[str, str]]:
    """The sentences below a claim, with the indent of their further lines."""
    out: list[tuple[str, str]] = []
    method = plain(claim.method) if claim.method != "none" else ""
    instance = f" (at {unicode_name(claim.instance)})" if claim.instance else ""
    if method or instance:
        out.append((f"{method}{instance}".strip(), "  "))
    if claim.verdict == "refuted":
        out.append((f"{plain(claim.lhs)} {plain(claim.relation)} {plain(claim.rhs)}", "  "))
        if claim.witness:
            values = ", ".join(f"{unicode_name(s.name)} = {plain(v)}" for s, v in claim.witness.items())
            out.append((f"fails at  {values}", "          "))
        if claim.left_value is not None:
            out.append((f"left side   {plain(claim.left_value)}", "            "))
        if claim.right_value is not None:
            out.append((f"right side  {plain(claim.right_value)}", "            "))
    if claim.detail:
        out.append((plain(claim.detail), "  "))
    return out


def verdicts_json(files: FileClaims) -> str:
    """The object documented for ``tpsym verify --json``.

    ``{"files": [{"file", "claims": [claim]}], "summary": {"proved", "checked", "refuted", "undecided"}}``
    with claims as in :func:`claim_object`.
    """
    claims = [claim for _, found in files for claim in found]
    value = {
        "files": [{"file": name, "claims": [claim_object(c) for c in found]} for name, found in files],
        "summary": summary(claims),
    }
    return json.dumps(value, indent=2, ensure_ascii=True)


def claim_object(claim: ClaimResult) -> Mapping[str, Any]:
    """``label, line, verdict, method, lhs, rhs, detail``; further ``relation``, and where there is one
    ``instance``, ``witness`` (name → decimal text), ``left_value`` and ``right_value``."""
    value: dict[str, Any] = {
        "label": claim.label,
        "line": claim.line,
        "verdict": claim.verdict,
        "method": claim.method,
        "lhs": claim.lhs,
        "rhs": claim.rhs,
        "detail": claim.detail,
        "relation": claim.relation,
    }
    if claim.instance:
        value["instance"] = claim.instance
    if claim.witness is not None:
        value["witness"] = {s.name: v for s, v in claim.witness.items()}
    if claim.left_value is not None:
        value["left_value"] = claim.left_value
    if claim.right_value is not None:
        value["right_value"] = claim.right_value
    return value
