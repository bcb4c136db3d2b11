"""Bias of the logarithm of a Monte Carlo mean, measured on log-normal weights and plotted. Nothing is trained."""

import math
from dataclasses import dataclass

import torch

from practice_torch.engine.artifacts import Figure
from practice_torch.foundations.jensen import log_mean_exp


@dataclass(frozen=True)
class LogMeanBias:
    """Bias of the logarithm of a Monte Carlo mean of S log-normal weights, against S.

    E log((1/S) sum_s w_s) - log E w is negative by Jensen's inequality, and close to -Var w / (2 S (E w)^2) once S is large: the
    bias of every estimate of log p(x) by importance sampling.
    """

    sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    spread: float = 1.0  # the standard deviation of log w
    draws: int = 1 << 20

    def measured(self, generator):
        """One bias for each size, [len(sizes)], each from all the draws, cut into groups of that size."""
        log_weights = self.spread * torch.randn(self.draws, generator=generator, dtype=torch.float64)
        groups = (log_weights[: self.draws // size * size].reshape(-1, size) for size in self.sizes)
        return torch.stack([log_mean_exp(group).mean() for group in groups]) - self.spread**2 / 2

    def predicted(self):
        """The second-order bias for each size, [len(sizes)]."""
        return -math.expm1(self.spread**2) / (2 * torch.tensor(self.sizes, dtype=torch.float64))

    def figure(self, generator):
        """Both, drawn."""
        measured, predicted = self.measured(generator), self.predicted()

        def draw(axes):
            axes.loglog(self.sizes, -measured, "o-", label="measured")
            axes.loglog(self.sizes, -predicted, "--", label="half the relative variance, over S")
            axes.set(xlabel="samples S", ylabel="log E w  -  E log mean of S  (nats)", title="What the logarithm of a mean costs")
            axes.legend()

        return Figure(draw, "Log-normal weights: the logarithm of a Monte Carlo mean is too low, with a bias that falls as 1/S.")
