"""Flow matching on points and images: distances of samples, the sampler, and what an exact velocity scores."""

import dataclasses

import pytest
import scipy.stats
import torch

from practice_torch.data.points import MIXTURES
from practice_torch.engine.errors import OptionError
from practice_torch.experiments.diffusion import training
from practice_torch.experiments.flows import flow_matching
from practice_torch.experiments.flows.flow_matching import RECIPES, ClassSolving
from practice_torch.experiments.judging.points import energy_distance
from practice_torch.experiments.sampling.flow_sampling import Solving, carried
from practice_torch.flows.flow_matching import mixture_velocity
from tests.support import tiny

MODULES = {"flows/flow_matching": flow_matching, "diffusion/training": training}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_energy_distance_is_scipys_without_its_bias():
    """SciPy's is the root of that of the weights on all pairs, a point with itself included; ours leaves these out."""
    x, y = torch.randn(40, 1, generator=seeded(), dtype=torch.float64), torch.rand(30, 1, generator=seeded(), dtype=torch.float64)
    within = [scipy.spatial.distance.pdist(part).mean() / len(part) for part in (x, y)]
    wanted = scipy.stats.energy_distance(x[:, 0], y[:, 0]) ** 2 - sum(within)
    assert energy_distance(x, y) == pytest.approx(wanted, rel=1e-9)


def test_noise_is_carried_from_time_0_to_1_in_steps_of_the_method():
    """x' = x + t from 1 ends at 2e - 2; two steps of Euler's method give 2.5."""

    def velocity_fn(x, time):
        assert time.shape == (len(x),)
        return x + time[:, None]

    noise = torch.ones(3, 2, dtype=torch.float64)
    torch.testing.assert_close(carried(velocity_fn, noise, Solving("euler", 2)), 2.5 * noise)
    torch.testing.assert_close(carried(velocity_fn, noise, Solving("runge_kutta_4", 50)), (2 * torch.e - 2) * noise)


def test_an_exact_velocity_is_as_good_as_the_data_and_one_backward_is_not():
    """On eight Gaussians, with the velocity of their mixture in place of the network's."""
    recipe = dataclasses.replace(RECIPES["two_moons"], data="eight_gaussians", hidden=8, likelihood_steps=1)
    experiment, _ = tiny.built("flows/flow_matching", recipe)
    mixture = MIXTURES["eight_gaussians"]
    means, log_vars, weights = torch.tensor(mixture.means), 2 * torch.tensor(mixture.stds).log(), torch.tensor(mixture.weights)
    points = mixture.draw(2000, seeded(1))

    class Data:
        def __len__(self):
            return len(points)

        def batch(self, indices):
            return {"point": points[indices]}

    def scored(sign):
        experiment.velocity = lambda x, time: sign * mixture_velocity(x, time, means, log_vars, weights.log())
        return experiment.evaluate(Data())

    right, wrong = scored(1), scored(-1)
    assert right["energy_distance"] < 0.01 < right["energy_distance_few"] < 0.5 < wrong["energy_distance"]
    assert 0.3 < right["loss"] < wrong["loss"]  # of the exact velocity it is the variance given the place, not 0


def test_samples_are_of_the_requested_class_or_refused():
    experiment, _ = tiny.built("flows/flow_matching", tiny.small(RECIPES["digits"]))
    asked = []
    inner = experiment.network.forward
    experiment.network.forward = lambda x, t, label: asked.append(label) or inner(x, t, label)
    experiment.sampling = ClassSolving("euler", 1, label=2)
    experiment.sample(4)
    assert asked[0].tolist() == [2, 2, 2, 2]
    experiment.sampling = ClassSolving("euler", 1, label=3)
    with pytest.raises(OptionError, match="label is 3; this model has classes 0..2"):
        experiment.sample(4)
    experiment.classes = []
    with pytest.raises(OptionError, match="label is 3; this model has no classes"):
        experiment.sample(4)


@pytest.mark.parametrize("name", ["digits", "notes"])
def test_the_diffusion_model_has_the_same_network_training_and_judge(name):
    """Its recipe has the same value of every field of ours but the target."""
    ours, theirs = (dataclasses.asdict(recipes[name]) | {"target": None} for recipes in (RECIPES, training.RECIPES))
    ours.pop("times")  # of the training, which the other calls levels
    assert ours == {field: theirs[field] for field in ours}
    experiments = [tiny.built(topic, tiny.small(module.RECIPES[name]))[0] for topic, module in MODULES.items()]
    shapes = [{key: part.shape for key, part in experiment.network.named_parameters()} for experiment in experiments]
    assert shapes[0] == shapes[1]


def test_sounds_are_turned_upside_down_half_of_the_time():
    experiment, batch = tiny.built("flows/flow_matching", tiny.small(RECIPES["notes"]))
    seen = []
    experiment._losses = lambda x1, *rest: seen.append(x1) or torch.zeros(1)
    for _ in range(50):
        experiment(batch, "train")
    sounds = torch.stack(seen) / experiment.recipe.gain
    same = (sounds == batch["audio"]).flatten(2).all(2)
    assert ((sounds == -batch["audio"]).flatten(2).all(2) == ~same).all()
    assert 0.4 < same.float().mean() < 0.6
