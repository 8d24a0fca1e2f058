"""Programs at finite width: NumPy runs, estimates over seeds, convergence to a claimed limit."""

from tpsym.simulate.convergence import (
    Covariance,
    Mean,
    QuantityResult,
    SimulationResult,
    Variance,
    simulate,
)
from tpsym.simulate.finite_width import execute, prepare, run
from tpsym.simulate.progress import terminal_progress
from tpsym.simulate.statistics import Estimate, Judgement, Rate, judge
from tpsym.simulate.table import render

__all__ = [
    "Covariance",
    "Estimate",
    "Judgement",
    "Mean",
    "QuantityResult",
    "Rate",
    "SimulationResult",
    "Variance",
    "execute",
    "judge",
    "prepare",
    "render",
    "run",
    "simulate",
    "terminal_progress",
]
