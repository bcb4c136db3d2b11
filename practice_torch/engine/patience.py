"""The best evaluation of a training, whose weights are kept, and early stopping: how many evaluations have passed since."""

import math
from collections.abc import Mapping
from typing import Any

from practice_torch.engine.recipe import Recipe


class Patience:
    """Sees every evaluation. `over`: the recipe's number of evaluations in a row was no better than the best; never, if it is 0.

    A metric that is not finite is no better than any other.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._most, self._sign = recipe.patience, -1 if recipe.direction == "higher" else 1
        self._metric = recipe.metric
        self.step, self.metrics, self._waited = 0, None, 0

    @property
    def over(self) -> bool:
        return 0 < self._most <= self._waited

    def see(self, step: int, metrics: Mapping[str, float]) -> bool:
        """Whether these metrics are the best so far."""
        value, best = self._sign * metrics[self._metric], math.inf
        if self.metrics is not None:
            best = self._sign * self.metrics[self._metric]
        if math.isfinite(value) and value < best:
            self.step, self.metrics, self._waited = step, {name: float(each) for name, each in metrics.items()}, 0
            return True
        self._waited += 1
        return False

    def facts(self) -> dict[str, Any]:
        """The state, for a checkpoint."""
        return {"step": self.step, "metrics": self.metrics, "waited": self._waited}

    def restore(self, facts: Mapping[str, Any]) -> None:
        self.step, self.metrics, self._waited = facts["step"], facts["metrics"], facts["waited"]
