"""Penalties through autograd in a critic's parameters, exact transport by SciPy, and how the experiment behaves."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import nn

from practice_torch.adversarial import gradient_penalty as practice
from practice_torch.data import points
from practice_torch.data.errors import DataError
from practice_torch.engine.optimizers import freeze_others, make_player
from practice_torch.experiments.adversarial.gradient_penalty import RECIPES, ImagesRecipe, PointsRecipe, Wgan, build, transport
from practice_torch.networks.dcgan import Critic
from tests.support.engine.compiled import steps_compiled

GENERATOR = torch.Generator().manual_seed(9)
PENALTIES = {
    "two-sided": practice.gradient_penalty,
    "one-sided": practice.one_sided_gradient_penalty,
    "zero-centered": lambda x, critic: practice.zero_centered_gradient_penalty(x, critic, gamma=3.0),
}


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_penalty_moves_the_critics_parameters(penalty):
    """Its gradient in every weight of a small network, by central differences."""
    torch.manual_seed(0)
    critic, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double(), draw(5, 3)

    def total():
        return PENALTIES[penalty](x, lambda rows: 20 * critic(rows)[:, 0]).sum()

    for weight in (critic[0].weight, critic[0].bias, critic[2].weight):
        (found,) = torch.autograd.grad(total(), weight)
        wanted = torch.zeros_like(found)
        with torch.no_grad():
            for entry in np.ndindex(*weight.shape):
                kept = weight[entry].item()
                for sign in (1, -1):
                    weight[entry] = kept + sign * 1e-6
                    wanted[entry] += sign * total() / 2e-6
                weight[entry] = kept
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-7)
        assert found.abs().max() > 0.01


def test_a_linear_critics_penalties_are_known():
    x, weights = draw(5, 3), torch.tensor([2.0, -3.0, 6.0], dtype=torch.float64, requires_grad=True)  # of length 7
    penalty = practice.gradient_penalty(x, lambda rows: rows @ weights, target=2.0).mean()
    assert penalty.item() == pytest.approx(25.0)
    (found,) = torch.autograd.grad(penalty, weights)
    torch.testing.assert_close(found, 2 * 5 * weights.detach() / 7)


def test_no_penalty_is_lost_without_gradients():
    """Evaluations run under no_grad and inference_mode, and measure the slope there."""
    x = draw(5, 3)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert practice.gradient_penalty(x, lambda rows: 5 * rows[:, 0]).tolist() == [16.0] * 5


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    """A small game on eight Gaussians, and its data."""
    torch.manual_seed(0)
    recipe = PointsRecipe(**{"data": "eight_gaussians", "hidden": 16, "points": 200, "compared": 20, "batch_size": 64} | fields)
    train, _ = points.load("eight_gaussians", count=recipe.points)
    game = build(recipe, train)
    game.generator = torch.Generator().manual_seed(0)
    return game, train


def test_transport_is_the_linear_programs():
    x, y = draw(6, 2), draw(6, 2) + 1
    sums = np.concatenate([np.kron(np.eye(6), np.ones(6)), np.kron(np.ones(6), np.eye(6))])
    wanted = linprog(torch.cdist(x, y).numpy().ravel(), A_eq=sums, b_eq=np.full(12, 1 / 6)).fun
    assert transport(x, y) == pytest.approx(wanted, rel=1e-9)


def test_the_critic_learns_the_distance_of_given_samples():
    """Samples at a known distance: data moved by 2. Next to it, the critic that is penalized too weakly, and so is too steep."""
    slopes, found = {}, {}
    for weight in (10.0, 0.5):
        game, data = experiment(penalty_weight=weight, learning_rate=5e-3, beta1=0.5, beta2=0.9)
        real = data.batch()["point"]
        game._fakes = lambda count, real=real: real[:count] + torch.tensor([2.0, 0.0])
        player = make_player(game, game.phases[0], game.recipe)
        freeze_others(player, [player])
        for _ in range(150):
            player.optimizer.zero_grad()
            game({"point": real}, "critic")[0].backward()
            player.optimizer.step()
        with torch.no_grad():
            measured = game.evaluate(data)
        slopes[weight], found[weight] = measured["slope"], measured["estimate"]
        assert measured["transport"] == pytest.approx(2.0, rel=0.1)
    # for pairs at distance 2, the slope exceeds 1 by 1/weight
    assert slopes[10.0] == pytest.approx(1.1, abs=0.1) and found[10.0] == pytest.approx(2.2, abs=0.2)
    assert slopes[0.5] > 2 and found[0.5] > 4


def test_each_phase_moves_its_own_player():
    """The critic's loss sends nothing to the generator; the generator's passes through the critic."""
    game, data = experiment()
    game(data.batch(), "critic")[0].backward()
    assert all(p.grad is None for p in game.generator_network.parameters())
    game(data.batch(), "generator")[0].backward()
    assert all(p.grad.abs().max() > 0 for p in game.generator_network.parameters())


def test_the_critic_of_images_has_no_company():
    """Its slope at one image does not depend on the others: no batch normalization anywhere."""
    critic = Critic(shape=(3, 8, 8), width=4)
    x = torch.randn(5, 3 * 64, generator=GENERATOR)

    def scores(rows):
        return critic(rows.view(-1, 3, 8, 8))

    alone = torch.cat([practice.gradient_penalty(row[None], scores) for row in x])
    torch.testing.assert_close(practice.gradient_penalty(x, scores), alone)


@pytest.mark.parametrize("wrong", [{"penalty_weight": -1.0}, {"critic_turns": 0}, {"generator_rate": 0.0}, {"compared": 1}])
@pytest.mark.parametrize("recipe", [PointsRecipe, ImagesRecipe])
def test_a_recipe_refuses_what_cannot_be_played(recipe, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        recipe(**wrong)


def test_modes_are_counted_only_where_they_are_known():
    _, moons = points.load("two_moons", count=20)
    with pytest.raises(DataError, match="two_moons is not a mixture"):
        build(RECIPES["eight_gaussians"], moons)


def test_the_critic_is_compiled_next_to_its_penalty(monkeypatch):
    """torch.func cannot differentiate a compiled call. A GPU would refuse the penalty of `critic(x)`."""
    found = steps_compiled("adversarial/gradient_penalty", "eight_gaussians")
    found.require_as_said()
    turns = 2 * RECIPES["eight_gaussians"].critic_turns
    assert found.executed["critic"] == 2 * turns + 2, "of real and fake examples, and of the generator's"
    monkeypatch.setattr(Wgan, "_scores", lambda self, x, critic=None: self.critic(x).float()[:, 0])
    with pytest.raises(torch._dynamo.exc.Unsupported, match="functorch"):
        steps_compiled("adversarial/gradient_penalty", "eight_gaussians")
