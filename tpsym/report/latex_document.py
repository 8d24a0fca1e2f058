"""A report as a LaTeX article that compiles with the base and recommended packages alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tpsym.report.bibliography import Reference
from tpsym.report.contents import Block, StepLine, cited, ranges, sections, step_lines, steps
from tpsym.report.equations import LINE, align, beside, broken
from tpsym.report.escape import plain, tex, tex_code
from tpsym.report.latex import MathLatex, law_parts
from tpsym.report.latex_names import latex_name
from tpsym.report.measure import width
from tpsym.report.names import unicode_name
from tpsym.report.remarks import remark_latex
from tpsym.report.rows import Row
from tpsym.report.tables import latex_lines
from tpsym.report.verdicts import summary_line
from tpsym.results.answers import ClaimResult, Notation

if TYPE_CHECKING:
    from tpsym.report.document import Report

CODE_COLUMNS = 96
"""Characters of a listing's line before it is continued on the next."""

PREAMBLE = r"""\documentclass[10pt,a4paper,fleqn]{article}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage[T1]{fontenc}\usepackage{lmodern}}{}
\usepackage{textcomp}
\usepackage[margin=2.4cm]{geometry}
\usepackage{amsmath,amssymb}
\usepackage{longtable,array}
\usepackage{graphicx}
\usepackage{xcolor}
\usepackage[hidelinks]{hyperref}
\IfFileExists{microtype.sty}{\usepackage{microtype}}{}
\allowdisplaybreaks
\setlength{\parindent}{0pt}
\setlength{\parskip}{3pt plus 1pt}
\setlength{\mathindent}{1.8em}
\AtBeginDocument{\setlength{\abovedisplayskip}{3pt plus 2pt}\setlength{\belowdisplayskip}{4pt plus 2pt}%
  \setlength{\abovedisplayshortskip}{2pt}\setlength{\belowdisplayshortskip}{3pt}}
\emergencystretch=3em
\definecolor{tpproved}{HTML}{1B7837}
\definecolor{tpchecked}{HTML}{00688B}
\definecolor{tprefuted}{HTML}{B2182B}
\definecolor{tpundecided}{HTML}{8A6D00}
\definecolor{tpgray}{gray}{0.45}
\providecommand{\lt}{<}
\providecommand{\gt}{>}
\newsavebox{\tpbox}
% A formula too wide for the line, scaled down to it.
\newcommand{\tpfit}[2][0.92]{\sbox{\tpbox}{$\displaystyle #2$}%
  \ifdim\wd\tpbox>#1\linewidth\resizebox{#1\linewidth}{!}{\usebox{\tpbox}}\else\usebox{\tpbox}\fi}
% A character outside ASCII in a listing, as wide as the others.
\newcommand{\tpchar}[1]{\makebox[0.525em][c]{#1}}
% A character without a glyph, by its code point.
\newcommand{\tpunknown}[1]{{\fontsize{4}{4}\selectfont\fbox{\rmfamily #1}}}
\newcommand{\tpline}[2]{\makebox[2.2em][r]{\textcolor{tpgray}{\scriptsize #1}}\hspace{0.8em}\texttt{#2}\par}
% A rule of a table, with a little room on both sides.
\newcommand{\tprule}[1]{\noalign{\vskip 1pt\global\arrayrulewidth=#1}\hline%
  \noalign{\global\arrayrulewidth=.4pt\vskip 2pt}}
\newcommand{\tpstep}[4]{\par\medskip\textbf{#1.}\enspace\textsc{#2}#3\hfill{\small\textcolor{tpgray}{#4}}}
"""


def to_latex(report: Report) -> str:
    """The whole document."""
    used = steps(report.answers)
    sources = cited(used)
    body = [
        _title(report),
        *_listing(report),
        *_results(report),
        *_derivation(step_lines(report.answers), report.notation),
    ]
    body += [*_claims(report.claims), *_bibliography(sources)]
    return PREAMBLE + "\\begin{document}\n" + "\n".join(body) + "\n\\end{document}\n"


def equations(block: Block, notation: Notation) -> list[str]:
    """The displays of a block: the equation, then its where-clause."""
    printer = MathLatex(notation, block.laws)
    out = [align([(str(printer.doprint(block.left)), "=", broken(block.right, printer))])] if block.has_equation else []
    rows = [(str(printer.doprint(row.left)), "=", _with_remark(row, printer)) for row in block.rows]
    rows += [(left, relation, [law]) for left, relation, law in law_parts(block.laws, notation)]
    if rows:
        left, relation, pieces = rows[0]
        out.append(align([(rf"\text{{where}}\quad {left}", relation, pieces), *rows[1:]]))
    if block.contributions:
        shares = [(latex_name(name), ":\\ ", broken(value, printer)) for name, value in block.contributions]
        left, relation, pieces = shares[0]
        out.append(align([(rf"\text{{by array}}\quad {left}", relation, pieces), *shares[1:]]))
    return out


def _with_remark(row: Row, printer: MathLatex) -> list[str]:
    """The lines of the right side, with what stands beside it on the last if there is room."""
    lines, remark = broken(row.right, printer), beside(row, printer)
    if not remark:
        return lines
    joined = rf"{lines[-1]} \qquad {remark}"
    if width(str(printer.doprint(row.left)) + joined) <= LINE:
        return [*lines[:-1], joined]
    if width(remark) > LINE - 20:
        sentence = remark_latex(row.remark, running=True)
        remark = rf"\parbox[t]{{0.7\linewidth}}{{\raggedright {sentence}}}"
    return [*lines, remark]


def _title(report: Report) -> str:
    name = rf"\\[4pt]\normalsize\texttt{{{tex(report.filename)}}}" if report.filename and report.title else ""
    title = tex(report.title or report.filename)
    return rf"\begin{{center}}{{\Large\bfseries {title}}}{name}\end{{center}}"


def _listing(report: Report) -> list[str]:
    if not report.source.strip():
        return []
    lines = [r"\section*{Program}", r"{\footnotesize\setlength{\parskip}{0pt}\raggedright"]
    for number, line in enumerate(report.source.rstrip().splitlines(), 1):
        shown = plain(line)
        lines.append(rf"\tpline{{{number}}}{{{tex_code(shown[:CODE_COLUMNS])}}}")
        for start in range(CODE_COLUMNS, len(shown), CODE_COLUMNS - 2):
            part = tex_code(shown[start : start + CODE_COLUMNS - 2])
            lines.append(rf"\tpline{{$\hookrightarrow$}}{{~~{part}}}")
    return [*lines, "}"]


def _results(report: Report) -> list[str]:
    if not report.answers:
        return []
    out = [r"\section*{Results}"]
    for section in sections(report.answers):
        question = rf"\texttt{{{tex(f'derive {section.question}')}}}"
        out.append(rf"\par\medskip {question}\hfill{{\small\textcolor{{tpgray}}{{line {section.line}}}}}")
        for block in section.blocks:
            out += equations(block, report.notation)
            notes = [f"In numbers: {tex(block.value)}."] if block.value is not None else []
            notes += [remark_latex(block.note, running=True)] if block.note else []
            if block.steps:
                word = "step" if len(block.steps) == 1 else "steps"
                numbers = ranges(block.steps).replace("–", "--")
                notes.append(rf"\textcolor{{tpgray}}{{By {word} {numbers}.}}")
            out.append(r"{\small\hspace*{1.8em}" + " ".join(notes) + r"\par}" if notes else "")
            out += [line for table in block.tables for line in latex_lines(table, report.notation)]
    return out


def _derivation(lines: Sequence[StepLine], notation: Notation) -> list[str]:
    out = [r"\section*{Derivation}"] if lines else []
    for line in lines:
        step = line.step
        place = f"line {step.span.line}" if step.span else ""
        locator = rf"[{{{tex(step.rule.locator)}}}]" if step.rule.locator else ""
        cite = rf"~{{\normalfont\cite{locator}{{{_key(step.rule.source)}}}}}" if step.rule.source else ""
        out.append(rf"\tpstep{{{line.number}}}{{{tex(step.rule.name)}}}{{{cite}}}{{{place}}}")
        out += equations(line.block, notation)
        out += [rf"{{\small\hspace*{{1.8em}}{tex(step.note)}\par}}"] if step.note else []
    return out


_MARKS = {"proved": r"$\checkmark$", "checked": r"$\approx$", "refuted": r"$\times$", "undecided": "?"}


def _claims(claims: Sequence[ClaimResult]) -> list[str]:
    if not claims:
        return []
    out = [r"\section*{Claims}", tex(summary_line(claims)) + ".", r"{\small\setlength{\parskip}{0pt}"]
    out += [
        r"\begin{longtable}[l]{@{}c p{0.27\linewidth} l r p{0.40\linewidth}@{}}",
        r"& \textbf{claim} & \textbf{verdict} & \textbf{line} & \textbf{how} \\[2pt]",
        r"\hline\noalign{\vskip 3pt}\endhead",
    ]
    for claim in claims:
        mark = rf"\textcolor{{tp{claim.verdict}}}{{{_MARKS[claim.verdict]}}}"
        verdict = rf"\textcolor{{tp{claim.verdict}}}{{{claim.verdict}}}"
        how = r"\par ".join(_how(claim))
        label = rf"\raggedright {tex(claim.label)}"
        out.append(rf"{mark} & {label} & {verdict} & {claim.line} & \raggedright {how} \tabularnewline[2pt]")
    return [*out, r"\end{longtable}}"]


def _how(claim: ClaimResult) -> list[str]:
    instance = f" (at {unicode_name(claim.instance)})" if claim.instance else ""
    out = [tex(claim.method + instance)]
    if claim.verdict == "refuted":
        if claim.witness:
            values = ", ".join(f"{unicode_name(s.name)} = {v}" for s, v in claim.witness.items())
            out.append(tex(f"at {values}"))
        out += [
            f"{side}: {tex(value)}"
            for side, value in (("left", claim.left_value), ("right", claim.right_value))
            if value is not None
        ]
    if claim.detail and claim.verdict in ("refuted", "undecided"):
        out.append(tex(claim.detail))
    return [line for line in out if line]


def _key(source: str) -> str:
    """A citation key of letters, digits and a few marks only."""
    return "".join(c for c in source if c.isascii() and (c.isalnum() or c in "-:.")) or "source"


def _bibliography(sources: Sequence[Reference]) -> list[str]:
    if not sources:
        return []
    out = [r"\begin{thebibliography}{99}\small"]
    for source in sources:
        note = f" {tex(source.note)}" if source.note else ""
        out.append(rf"\bibitem{{{_key(source.key)}}} {tex(source.line())}{note}")
    return [*out, r"\end{thebibliography}"]
