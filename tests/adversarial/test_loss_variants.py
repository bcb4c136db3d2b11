"""The variants compared with torch's losses, regressions, linear programs and searches; and how the experiment behaves."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from torch.nn.functional import hinge_embedding_loss, mse_loss, soft_margin_loss

from practice_torch.adversarial import loss_variants as practice
from practice_torch.adversarial.gan import jensen_shannon_divergence
from practice_torch.data import points
from practice_torch.data.errors import DataError
from practice_torch.engine.optimizers import freeze_others, make_player
from practice_torch.experiments.adversarial.loss_variants import LOSSES, RECIPES, PointsRecipe, build

GENERATOR = torch.Generator().manual_seed(8)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def laws(states=4):
    """p and q on as many states."""
    return torch.softmax(draw(states), 0), torch.softmax(draw(states), 0)


def test_the_losses_are_torchs():
    r, f = 3 * draw(30), 3 * draw(30)
    ones = torch.ones_like(r)
    found = practice.least_squares_discriminator_loss(r, f, real_target=0.9, fake_target=-0.5)
    wanted = (mse_loss(r, 0.9 * ones, reduction="none") + mse_loss(f, -0.5 * ones, reduction="none")) / 2
    torch.testing.assert_close(found, wanted)
    found = practice.relativistic_discriminator_loss(r, f)
    torch.testing.assert_close(found, soft_margin_loss(r - f, ones, reduction="none"))
    # torch's hinge of the label -1 is max(0, margin - x)
    wanted = sum(hinge_embedding_loss(x, -ones, margin=1.0, reduction="none") for x in (r, -f))
    torch.testing.assert_close(practice.hinge_discriminator_loss(r, f), wanted)


def test_the_best_least_squares_score_is_a_regression():
    """numpy's weighted least squares of the labels on the states' indicators."""
    p, q = laws()
    rows = np.concatenate([np.diag(p.sqrt()), np.diag(q.sqrt())])
    labels = np.concatenate([2.0 * p.sqrt(), -0.5 * q.sqrt()])
    best = torch.from_numpy(np.linalg.lstsq(rows, labels, rcond=None)[0]).requires_grad_()
    loss = practice.least_squares_discriminator_loss
    total = (p * loss(best, torch.full_like(q, -0.5), real_target=2.0, fake_target=-0.5)).sum()
    total = total + (q * loss(torch.full_like(p, 2.0), best, real_target=2.0, fake_target=-0.5)).sum()
    (slope,) = torch.autograd.grad(total, best)
    assert slope.abs().max() < 1e-12
    triangle = 0.5 * ((p - q).square() / (p + q)).sum()
    assert total.item() == pytest.approx(2.5**2 / 4 * (1 - triangle.item()))


def test_the_least_hinge_loss_is_a_linear_program():
    """min p.u + q.v with u >= 1 - s, v >= 1 + s and u, v >= 0: 2 - 2 TV, and the code's loss at its scores."""
    p, q = laws()
    n = len(p)
    eye, none = np.eye(n), np.zeros((n, n))
    cost, bounds = np.concatenate([np.zeros(n), p, q]), n * [(-5, 5)] + 2 * n * [(0, None)]
    found = linprog(cost, A_ub=np.block([[-eye, -eye, none], [eye, none, -eye]]), b_ub=-np.ones(2 * n), bounds=bounds)
    assert found.fun == pytest.approx(2 - (p - q).abs().sum().item())
    scores, safe = torch.from_numpy(found.x[:n]), torch.full((n,), 9.0, dtype=torch.float64)
    loss = practice.hinge_discriminator_loss
    assert (p * loss(scores, -safe)).sum() + (q * loss(safe, scores)).sum() == pytest.approx(found.fun)


def test_the_best_relativistic_scores_are_the_log_ratio_up_to_a_constant():
    """SciPy's quasi-Newton method on the mean over all pairs: log 2 less a divergence of pairs is left."""
    p, q = laws()
    n = len(p)
    pairs = torch.outer(p, q)

    def loss(scores):
        s = torch.from_numpy(scores).requires_grad_()
        total = (pairs.flatten() * practice.relativistic_discriminator_loss(s.repeat_interleave(n), s.repeat(n))).sum()
        return total.item(), torch.autograd.grad(total, s)[0].numpy()

    found = minimize(loss, np.zeros(n), jac=True, method="BFGS", options={"gtol": 1e-9})
    wanted = (p / q).log().numpy()
    np.testing.assert_allclose(found.x - found.x.mean(), wanted - wanted.mean(), atol=1e-6)
    divergence = jensen_shannon_divergence(pairs.log().view(1, -1), pairs.T.log().reshape(1, -1)).item()
    assert found.fun == pytest.approx(np.log(2) - divergence, abs=1e-9)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    """A small game on eight Gaussians, and its held-out points."""
    torch.manual_seed(0)
    recipe = PointsRecipe(**{"data": "eight_gaussians", "hidden": 16, "points": 400, "learning_rate": 3e-3} | fields)
    _, data = points.load("eight_gaussians", count=recipe.points)
    game = build(recipe, data)
    game.generator = torch.Generator().manual_seed(0)
    return game, data


def one_after_the_other(loss, turns=80):
    """(told_apart, mean loss of the generator) after turns of the critic alone, then after as many of the generator."""
    game, data = experiment(loss=loss)
    players = [make_player(game, phase, game.recipe) for phase in game.phases]
    for phase, player in zip(game.phases, players, strict=True):
        freeze_others(player, players)
        for _ in range(turns):
            player.optimizer.zero_grad()
            game(data.batch(), phase.name)[0].backward()
            player.optimizer.step()
        with torch.no_grad():
            yield game.evaluate(data)["told_apart"], float(game(data.batch(), "generator")[0])


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"midpoint"}))
def test_each_player_pulls_its_own_way(loss):
    """Fakes are distinguished; then, against a frozen critic, they no longer are. A wrong sign does neither."""
    (before, _), (after, _) = one_after_the_other(loss)
    assert before > 0.9 and after < 0.6


def test_fakes_stop_at_the_border_where_the_target_is_the_midpoint():
    """They reach the scores around 0, which a frozen critic still tells from those of data."""
    (before, lost), (after, left) = one_after_the_other("midpoint")
    assert before > 0.9 and after > 0.9 and left < lost / 10


def test_each_phase_moves_its_own_player():
    game, data = experiment()
    game(data.batch(), "critic")[0].backward()
    assert all(p.grad is None for p in game.generator_network.parameters())
    game(data.batch(), "generator")[0].backward()
    assert all(p.grad.abs().max() > 0 for p in game.generator_network.parameters())


def test_modes_are_counted_only_where_they_are_known():
    _, moons = points.load("two_moons", count=20)
    with pytest.raises(DataError, match="two_moons is not a mixture"):
        build(RECIPES["eight_gaussians"], moons)
