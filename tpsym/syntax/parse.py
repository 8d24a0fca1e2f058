"""Text to tree: :func:`parse`, :func:`parse_expression` and :func:`read`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tpsym.errors import Diagnostic, Span, TpError, fail
from tpsym.syntax import tree
from tpsym.syntax.build_statements import StatementBuilder
from tpsym.syntax.checks import check
from tpsym.syntax.layout import layout, newline, soften
from tpsym.syntax.messages import IN_EXPRESSIONS, IN_FILES, explain
from tpsym.syntax.scan import MAX_TEXT, Line, scan
from tpsym.syntax.tokens import Token

if TYPE_CHECKING:
    from lark import Lark


def parse(text: str, *, filename: str | None = None) -> tree.File:
    """The tree of a whole file.

    Raises:
        TpError: located, with the text and ``filename``, for anything that is not a tp file.
    """
    source = _plain(text)
    try:
        scanned = scan(source)
        if not scanned.lines:
            raise fail(
                "empty-file", "there is no statement here", fix="begin with a declaration such as width n"
            )
        result = cast(tree.File, _run("file", layout(scanned)))
        check(result)
    except TpError as error:
        raise error.located(source=source, filename=filename) from None
    return tree.File(result.title, result.statements, tuple(scanned.comments), source, span=result.span)


def parse_expression(text: str) -> tree.Expr:
    """The tree of a single expression; newlines in it do not count.

    Raises:
        TpError: located in ``text``.
    """
    source = _plain(text)
    try:
        tokens = [token for line in scan(source).lines for token in line.tokens]
        if not tokens:
            expected = "an expression such as nngp(f)(x, y)"
            raise fail("empty-expression", "there is no expression here", expected=expected)
        end = newline(Line("", tokens))
        stream = [*soften(tokens), end, end.turned("END")]
        result = cast(tree.Expr, _run("expression", stream))
        check(result)
    except TpError as error:
        raise error.located(source=source, filename="<expression>") from None
    return result


def read(path: str | os.PathLike[str]) -> tree.File:
    """The tree of the file at ``path``.

    Raises:
        TpError: with the file's name, also when the file cannot be read at all.
    """
    name = os.fspath(path)
    return parse(read_text(name), filename=name)


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a tp file, which must be UTF-8.

    Raises:
        TpError: if there is no such file, it is a directory, too large, unreadable or not UTF-8.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read(4 * MAX_TEXT + 1)
    except (OSError, ValueError) as error:
        raise TpError((_unreadable(error),), filename=name) from None
    if len(data) > 4 * MAX_TEXT:
        large = Diagnostic("file-too-large", f"the file has more than {4 * MAX_TEXT:,} bytes")
        raise TpError((large,), filename=name)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TpError((_undecodable(data, error.start),), data.decode("utf-8", "replace"), name) from None


def _unreadable(error: OSError | ValueError) -> Diagnostic:
    if isinstance(error, FileNotFoundError):
        return Diagnostic("no-such-file", "there is no such file", fix="check the spelling of the path")
    if isinstance(error, IsADirectoryError):
        return Diagnostic("is-a-directory", "this is a directory, not a file", fix="name the .tp files in it")
    if isinstance(error, PermissionError):
        return Diagnostic("no-permission", "this file may not be read", fix="change its permissions")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Diagnostic("unreadable-file", f"the file cannot be read: {reason}")


def _undecodable(data: bytes, start: int) -> Diagnostic:
    before = data[:start].decode("utf-8")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Diagnostic(
        "not-utf-8",
        f"the byte 0x{data[start]:02x} is not UTF-8 text",
        Span(line, column, line, column + 1),
        fix="save the file as UTF-8",
    )


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _run(start: str, tokens: Iterable[Token]) -> object:
    """Feed tokens, of which the last is ``END``, to the parser; the value of the start rule."""
    from lark.exceptions import UnexpectedToken

    parser = _parser().parse_interactive(start=start)
    result: object = None
    fed: list[Token] = []
    for token in tokens:
        fed.append(token)
        try:
            # Lark asks of a token no more than its ``type``.
            result = parser.feed_token(cast(Any, token))
        except UnexpectedToken:
            accepted = frozenset(parser.accepts())
            rules = IN_FILES if start == "file" else IN_EXPRESSIONS
            raise TpError((explain(fed, accepted, rules),)) from None
    return result


@cache
def _parser() -> Lark:
    from lark import Lark

    return Lark(
        _grammar(),
        parser="lalr",
        lexer="basic",
        start=["file", "expression"],
        keep_all_tokens=True,
        maybe_placeholders=False,
        transformer=StatementBuilder(),
        cache=_cache_file(),
    )


def _grammar() -> str:
    try:
        return resources.files("tpsym.grammar").joinpath("tp.lark").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        # A checkout that is not installed: the folder lies beside the package.
        return (Path(__file__).parents[2] / "grammar" / "tp.lark").read_text(encoding="utf-8")


def _cache_file() -> str | bool:
    """Where the parse tables are kept, which saves a tenth of a second; ``False`` where nothing can be."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tpsym"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private = hasattr(os, "getuid") and folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK)
    except (OSError, RuntimeError):
        return False
    # The tables are unpickled, so a folder that someone else could write to is of no use.
    return str(folder / "grammar.lark") if private and not folder.stat().st_mode & 0o022 else False
