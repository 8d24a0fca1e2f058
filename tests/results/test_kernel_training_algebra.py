"""Functions of kernel matrices in closed form, against steps one by one."""

from __future__ import annotations

import pytest
import sympy as sp
from sympy import ImmutableMatrix, S

from tpsym.results.kernel_training_algebra import NoClosedForm, Signals, after, in_closed_form, spectral, steps_weight


@pytest.mark.parametrize("rows", [
    [[3, 1], [1, 2]], [[2, 1], [1, 2]], [[3, 0], [0, 2]], [[2, 1, 1], [1, 2, 1], [1, 1, 2]], [[0, 0], [0, 1]],
])
def test_functions_of_matrices(rows: list[list[int]]) -> None:
    matrix = ImmutableMatrix(rows)
    cubed = spectral(matrix, lambda e: e**3).applyfunc(sp.expand)
    assert cubed == matrix**3
    signals = Signals((S(1),) * matrix.rows, tuple(S(i) for i in range(matrix.rows)))
    batches = [tuple(range(matrix.rows))] * 5
    closed = in_closed_form(matrix, signals, steps_weight(S(5)), S(5), lambda e: sp.expand(e) == 0)
    assert (closed - after(matrix, signals, batches, S.Zero)).applyfunc(sp.radsimp).applyfunc(sp.expand).is_zero_matrix


def test_a_matrix_without_known_eigenvalues() -> None:
    with pytest.raises(NoClosedForm, match="3 examples"):
        spectral(ImmutableMatrix([[1, 2, 0], [2, 1, 0], [0, 0, 1]]), lambda e: e)
