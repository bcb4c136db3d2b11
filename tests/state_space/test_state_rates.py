"""In every experiment with state spaces, their steps and eigenvalues have their own rate and are not decayed."""

import pytest

from practice_torch.engine.optimizers import make_player
from practice_torch.experiments.state_space import diagonal, selective
from tests.support import tiny

S4D = ("log_step", "log_negative_real", "imaginary")
CASES = [
    *((diagonal, name, "network", {"system_rate": 0.1}, dict.fromkeys(S4D, 0.1)) for name in ("pydoc", "notes")),
    *((selective, name, "network", {}, {"log_negative_a": 1.0}) for name in ("pydoc", "notes")),
    (selective, "copying", "s4d", {}, dict.fromkeys(S4D, 0.25)),
    (selective, "copying", "mamba", {}, {"log_negative_a": 1.0}),
    (selective, "copying", "lstm", {}, {}),
]


@pytest.mark.parametrize(("topic", "name", "network", "fields", "own"), CASES)
def test_eigenvalues_and_steps_have_their_rate_and_no_decay(topic, name, network, fields, own):
    recipe = tiny.small(topic.RECIPES[name], learning_rate=0.5, weight_decay=0.1, **fields)
    experiment = topic.build(recipe, tiny.Random(recipe))
    (phase,) = (phase for phase in experiment.phases if phase.moves == (network,))
    player = make_player(experiment, phase, recipe)
    found = {id(p): (group["lr"], group["weight_decay"]) for group in player.optimizer.param_groups for p in group["params"]}
    for path, parameter in player.parameters.items():
        rate = own.get(path.rpartition(".")[2])
        decay = 0.1 if rate is None and parameter.ndim > 1 else 0.0
        assert found[id(parameter)] == (0.5 if rate is None else 0.5 * rate, decay), path
