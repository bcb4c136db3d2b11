"""One step of the natural gradient, against the whole Fisher matrix and the bound on its divergence."""

from dataclasses import replace

import pytest
import torch
from torch.func import functional_call, hessian

from practice_torch.experiments.reinforcement import trust_region
from practice_torch.reinforcement.natural_gradient import natural_step


@pytest.mark.parametrize("name", ["cart_pole", "pendulum"])
def test_a_step_is_the_natural_one_of_the_whole_fisher_matrix(name, monkeypatch):
    """With as many iterations as there are parameters: F = Hessian of the mean divergence + damping, of all of them."""
    torch.manual_seed(0)
    recipe = replace(trust_region.RECIPES[name], hidden=2, copies=4, horizon=16, batch_size=8, iterations=60, maximum_kl=1e-4)
    experiment = trust_region.build(recipe, None).double()
    experiment.generator = torch.Generator().manual_seed(0)
    experiment({}, "collect")
    actor, rollouts = experiment.actor, experiment.rollouts
    names = [name for name, _ in actor.named_parameters()]
    before = torch.cat([parameter.detach().flatten() for parameter in actor.parameters()])
    sizes = [parameter.shape for parameter in actor.parameters()]

    def law(flat):
        parts = flat.split([size.numel() for size in sizes])
        return functional_call(
            actor, {n: p.view(s) for n, p, s in zip(names, parts, sizes, strict=True)}, (rollouts.observations,)
        )

    old = law(before).detach()
    matrix = hessian(lambda flat: actor.divergence(law(flat), old).mean())(before)
    gradient = torch.func.grad(lambda flat: (actor.log_prob(law(flat), rollouts.actions) * rollouts.advantages).mean())(before)
    wanted = natural_step(gradient, matrix + recipe.damping * torch.eye(len(before)), maximum_kl=recipe.maximum_kl)
    logs = experiment({}, "improve")[1]
    moved = torch.cat([parameter.detach().flatten() for parameter in actor.parameters()]) - before
    torch.testing.assert_close(moved, logs["fraction"] * wanted, rtol=1e-6, atol=1e-9)
    assert logs["fraction"] == 1 and 0 < logs["nats"] <= recipe.maximum_kl and logs["gain"] > 0
    assert logs["nats"] == pytest.approx(actor.divergence(law(before + moved), old).mean().item(), rel=1e-6)


def test_a_step_too_far_is_shortened_and_one_without_gain_not_taken(monkeypatch):
    torch.manual_seed(0)
    recipe = replace(trust_region.RECIPES["cart_pole"], hidden=4, copies=4, horizon=16, batch_size=8)
    experiment = trust_region.build(recipe, None).double()
    experiment.generator = torch.Generator().manual_seed(0)
    experiment({}, "collect")
    state = {name: value.clone() for name, value in experiment.actor.state_dict().items()}
    exact = trust_region.conjugate_gradient
    # against the gradient: no gain, however short
    monkeypatch.setattr(trust_region, "conjugate_gradient", lambda *given, **how: -exact(*given, **how))
    logs = experiment({}, "improve")[1]
    assert logs["fraction"] == logs["nats"] == logs["gain"] == 0
    assert all(torch.equal(value, state[name]) for name, value in experiment.actor.state_dict().items())
    monkeypatch.undo()
    search = trust_region.backtracking_line_search
    farther = lambda here, step, *how, **most: search(here, 8 * step, *how, **most)  # noqa: E731
    monkeypatch.setattr(trust_region, "backtracking_line_search", farther)
    logs = experiment({}, "improve")[1]
    assert 0 < logs["fraction"] < 1 and 0 < logs["nats"] <= recipe.maximum_kl and logs["gain"] > 0


@pytest.fixture(autouse=True)
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
