"""What figures share."""

from __future__ import annotations

from typing import Any

from tpsym.errors import fail

BOX = {"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
"""The background of words inside a figure."""


def figure_class() -> Any:
    """The class of figures, which belongs to no window.

    Raises:
        TpError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise fail("missing-package", "figures are drawn by matplotlib, which is not installed",
                   fix="pip install matplotlib") from None
    return Figure
