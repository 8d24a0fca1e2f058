"""Moments of Gaussian vectors."""

from __future__ import annotations

from tpsym.gauss.field import Frac
from tpsym.gauss.law import Law


def moment(law: Law, powers: tuple[int, ...]) -> Frac:
    r"""E ∏ z_i^{k_i}: E[z_i g] = E z_i · E g + Σ_j C_ij E[∂_j g], remembered by exponents (Isserlis 1918)."""
    memo: dict[tuple[int, ...], Frac] = {(0,) * len(powers): law.field.one}

    def mean(powers: tuple[int, ...]) -> Frac:
        if powers in memo:
            return memo[powers]
        index = max((i for i, k in enumerate(powers) if k), key=lambda i: -powers[i])
        rest = list(powers)
        rest[index] -= 1
        total = law.field.zero
        if law.mean[index]:
            total = law.mean[index] * mean(tuple(rest))
        for j, k in enumerate(rest):
            if k and law.covariance[index][j]:
                rest[j] -= 1
                total = total + law.covariance[index][j].scale(k) * mean(tuple(rest))
                rest[j] += 1
        memo[powers] = total
        return total

    return mean(powers) if sum(powers) % 2 == 0 or any(law.mean) else law.field.zero
