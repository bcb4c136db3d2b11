"""The adversarial game compared with torch's cross-entropy and SciPy, and the behavior of its experiment."""

import math

import numpy as np
import pytest
import scipy.special
import torch
from scipy.spatial.distance import jensenshannon
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.adversarial import gan as practice
from practice_torch.data import points
from practice_torch.data.errors import DataError
from practice_torch.engine.optimizers import freeze_others, make_player
from practice_torch.experiments.adversarial.gan import RECIPES, GanRecipe, build
from practice_torch.experiments.training.adversarial_game import turn
from practice_torch.foundations.f_gan import f_gan_alternative_generator_loss, f_gan_critic_loss, f_gan_generator_loss

GENERATOR = torch.Generator().manual_seed(6)
LOGITS = torch.linspace(-60, 60, 25, dtype=torch.float64)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def close(ours, theirs, rtol=1e-12, atol=0.0):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=rtol, atol=atol)


def test_the_discriminators_loss_is_torchs_cross_entropy_with_soft_labels():
    real, fake = LOGITS, LOGITS.flip(0) + 1.5
    for target in (1.0, 0.9, 0.3):
        wanted = binary_cross_entropy_with_logits(real, torch.full_like(real, target), reduction="none")
        wanted = wanted + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake), reduction="none")
        # torch computes (1 - t) x - log sigma(x), which cancels where the answer is right
        close(practice.discriminator_loss(real, fake, real_target=target), wanted, atol=1e-13)


def test_the_generators_losses_are_scipys_log_expit():
    close(practice.minimax_generator_loss(LOGITS), scipy.special.log_expit(-LOGITS.numpy()))
    close(practice.non_saturating_generator_loss(LOGITS), -scipy.special.log_expit(LOGITS.numpy()))


def test_the_game_is_the_f_gan_of_its_row():
    """Lecture 4's losses for the divergence "gan", a sign apart where a bound is raised and a loss lowered."""
    real, fake = draw(9), draw(9)
    close(practice.discriminator_loss(real, fake), f_gan_critic_loss(real, fake, divergence="gan"))
    close(practice.minimax_generator_loss(fake), f_gan_generator_loss(fake, divergence="gan"))
    close(practice.non_saturating_generator_loss(fake), f_gan_alternative_generator_loss(fake, divergence="gan"))


def test_the_divergence_is_the_square_of_scipys_distance():
    log_p, log_q = (torch.log_softmax(3 * draw(6, 5), dim=-1) for _ in range(2))
    log_p[0] = torch.log_softmax(torch.tensor([0.0, 1.0, 2.0, -torch.inf, -torch.inf], dtype=torch.float64), 0)
    wanted = jensenshannon(log_p.exp().numpy(), log_q.exp().numpy(), axis=1) ** 2
    close(practice.jensen_shannon_divergence(log_p, log_q), wanted, rtol=1e-10)


def test_no_search_finds_a_better_discriminator():
    """Newton's method on the value, from indifference: it ends at the log-ratio and at 2 JSD - log 4."""
    log_p, log_q = (torch.log_softmax(draw(4, 5), dim=-1) for _ in range(2))
    logits = torch.zeros(4, 5, dtype=torch.float64, requires_grad=True)
    for _ in range(40):
        (slope,) = torch.autograd.grad(practice.exact_value(log_p, log_q, logits).sum(), logits, create_graph=True)
        (curvature,) = torch.autograd.grad(slope.sum(), logits)
        with torch.no_grad():
            logits -= (slope / curvature).clamp(-1, 1)
    close(logits.detach(), practice.optimal_discriminator_logit(log_p.flatten(), log_q.flatten()).view(4, 5), rtol=1e-9)
    value = practice.exact_value(log_p, log_q, logits.detach())
    close(value, 2 * practice.jensen_shannon_divergence(log_p, log_q) - np.log(4), rtol=1e-10)


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment(**fields):
    """A small game on eight Gaussians, and its held-out points."""
    torch.manual_seed(0)
    recipe = GanRecipe(**{"hidden": 16, "points": 400, "metric": "quality_times_coverage"} | fields)
    _, data = points.load("eight_gaussians", count=recipe.points)
    game = build(recipe, data)
    game.generator = torch.Generator().manual_seed(0)
    return game, data


def test_each_phase_moves_its_own_player():
    """The discriminator's loss sends nothing to the generator; the generator's reaches it through the discriminator."""
    game, data = experiment()
    game(data.batch(), "discriminator")[0].backward()
    assert all(p.grad is None for p in game.generator_network.parameters())
    game(data.batch(), "generator")[0].backward()
    assert all(p.grad.abs().max() > 0 for p in game.generator_network.parameters())


@pytest.mark.parametrize("loss", ["non_saturating", "minimax"])
def test_each_player_pulls_its_own_way(loss):
    """A few steps of one player alone: D(real) rises above D(fake); then D(fake) rises. A wrong sign does neither."""
    game, data = experiment(generator_loss=loss, learning_rate=3e-3)
    players = {phase.name: make_player(game, phase, game.recipe) for phase in game.phases}

    def play(name, turns=30):
        freeze_others(players[name], players.values())
        for _ in range(turns):
            players[name].optimizer.zero_grad()
            game(data.batch(), name)[0].backward()
            players[name].optimizer.step()
        with torch.no_grad():
            return {key: float(value) for key, value in game.evaluate(data).items()}

    before = play("discriminator")
    assert before["real"] > before["fake"] + 0.2
    after = play("generator")
    assert after["real"] == before["real"] and after["fake"] > before["fake"] + 0.2


def test_a_mode_is_covered_by_good_fakes_only():
    """Two modes, one well fed and one missed; then both."""
    game, _ = experiment(radius=0.3)
    game.mixture = {"weights": (0.5, 0.5), "means": ((0.0, 0.0), (4.0, 0.0)), "stds": (0.1, 0.1)}
    seen = game._modes(torch.tensor([[0.0, 0.29], [0.1, 0.0], [2.0, 0.0], [4.0, 0.31]]))
    assert (seen["modes"], seen["high_quality"], seen["quality_times_coverage"]) == (1.0, 0.5, 0.25)
    assert seen["spread"] == pytest.approx(math.sqrt((2.9**2 + 1) / 2 / 2))
    seen = game._modes(torch.tensor([[0.0, 0.0], [4.0, 0.29]]))
    assert (seen["modes"], seen["high_quality"], seen["quality_times_coverage"]) == (2.0, 1.0, 1.0)
    assert game._modes(torch.full((3, 2), 9.0))["quality_times_coverage"] == 0.0


@pytest.mark.parametrize("target", [1.0, 0.9])
def test_statistics_separate_a_balanced_game_from_an_overpowered_one(target):
    """A discriminator as sure as its labels allow is reported while it lasts, and remembered afterwards."""
    game, data = experiment(real_target=target)
    assert "Neither" in game.statistics.text().text
    real = data.batch()["point"]
    sure = 50.0 if target == 1 else math.log(target / (1 - target))

    def turns(logit_real, logit_fake):
        def opinion(x):
            return torch.full((len(x),), logit_real if x is real else logit_fake)

        for _ in range(400):
            turn("discriminator", opinion, real, torch.zeros_like(real), game.recipe, game.statistics)

    turns(sure, -50.0)
    assert game.statistics.metrics()["discriminator_loss"] < 0.1 and "OVERPOWERS" in game.statistics.text().text
    turns(0.0, 0.0)
    assert game.statistics.metrics()["lowest_discriminator_loss"] < 0.1 < game.statistics.metrics()["discriminator_loss"]
    assert "no longer" in game.statistics.text().text


@pytest.mark.parametrize("wrong", [{"real_target": 0.0}, {"discriminator_turns": 0}, {"hidden": 0}, {"radius": 0.0}])
def test_a_recipe_refuses_what_cannot_be_played(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GanRecipe(**wrong)


def test_modes_are_counted_only_where_they_are_known():
    _, moons = points.load("two_moons", count=20)
    with pytest.raises(DataError, match="two_moons is not a mixture"):
        build(RECIPES["eight_gaussians"], moons)
    assert build(RECIPES["two_moons"], moons).mixture is None
