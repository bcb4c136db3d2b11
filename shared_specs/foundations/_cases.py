"""Shared cases of the specs of f-divergences: names of cases, and divergences that must be rejected."""

import numpy as np

from shared_specs.rows import Rejects, given

BAD_DIVERGENCES = {
    "an unknown divergence": {"divergence": "kullback"},
    "alpha is missing": {"divergence": "alpha"},
    "alpha is 0": {"divergence": "alpha", "alpha": 0.0},
    "alpha is 1": {"divergence": "alpha", "alpha": 1},
    "alpha is infinite": {"divergence": "alpha", "alpha": np.inf},
    "alpha is not a number": {"divergence": "alpha", "alpha": np.nan},
    "alpha is not wanted": {"divergence": "kl", "alpha": 0.5},
}


def name_of(divergence, alpha):
    """The names of the cases of a divergence."""
    return divergence if alpha is None else f"{divergence} {alpha:g}"


def rejects_divergences(function, sample):
    """Divergences that are none. sample: the other arguments."""
    for case, words in BAD_DIVERGENCES.items():
        blames = "alpha" if words["divergence"] in ("alpha", "kl") else "divergence"
        yield Rejects(function, case, given(**sample, **words), blames=blames)
