"""f-GAN compared with torch's cross entropy and a search over critics, and in a short game."""

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn.functional import binary_cross_entropy_with_logits

from practice_torch.data import points
from practice_torch.data.errors import DataError
from practice_torch.experiments.foundations.f_gan import RECIPES, FGanRecipe, build
from practice_torch.foundations import f_gan as practice
from practice_torch.foundations.f_divergence import f_generator
from practice_torch.foundations.fenchel_conjugate import fenchel_conjugate, output_activation
from shared_specs.foundations.f_gan import GENERATORS

ROWS = [{"divergence": generator[0], "alpha": generator[1]} for generator in GENERATORS]
IDS = [f"{row['divergence']}-{row['alpha']}" for row in ROWS]


def test_gan_is_binary_cross_entropy_with_logits():
    """Data are ones, fakes zeros."""
    generator = torch.Generator().manual_seed(0)
    real, fake = 20 * torch.randn(2, 9, generator=generator, dtype=torch.float64)
    wanted = binary_cross_entropy_with_logits(real, torch.ones(9, dtype=torch.float64), reduction="none")
    wanted = wanted + binary_cross_entropy_with_logits(fake, torch.zeros(9, dtype=torch.float64), reduction="none")
    torch.testing.assert_close(practice.f_gan_critic_loss(real, fake, divergence="gan"), wanted, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_fused_is_the_conjugate_after_the_output_map_where_both_can_be_computed(row):
    """In float64 and away from saturation, the detour over g_f(v) loses little."""
    v = torch.linspace(-4, 4, 17, dtype=torch.float64)
    torch.testing.assert_close(
        -practice.f_gan_generator_loss(v, **row), fenchel_conjugate(output_activation(v, **row), **row), rtol=1e-11, atol=1e-12
    )


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_the_best_critic_of_one_outcome_earns_the_generator(row):
    """sup_v u g_f(v) - f*(g_f(v)) = f(u), found by a search that knows neither f' nor f*'."""
    for log_u in (-0.7, 0.4):

        def loss(v, log_u=log_u):
            v = torch.tensor([v], dtype=torch.float64)
            value = -practice.f_gan_alternative_generator_loss(v, **row)
            return float(-practice.f_gan_generator_loss(v, **row) - value * torch.tensor(log_u).double().exp())

        best = minimize_scalar(loss, bounds=(-12, 12), method="bounded", options={"xatol": 1e-9})
        wanted = float(f_generator(torch.tensor([log_u], dtype=torch.float64), **row))
        assert -best.fun == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_losses_stay_in_float32_and_under_vmap(row):
    """float32 in, float32 out; a batch of batches by vmap is the same as one by one."""
    v = torch.linspace(-20, 20, 12)
    assert practice.f_gan_critic_loss(v, v.flip(0), **row).dtype == torch.float32
    rows = torch.func.vmap(lambda part: practice.f_gan_generator_loss(part, **row))(v.view(3, 4))
    torch.testing.assert_close(rows.flatten(), practice.f_gan_generator_loss(v, **row), rtol=0, atol=0)


class _Described:
    def __init__(self, points, mixture=None):
        self.points = points
        self.description = {"name": "toy", "shape": list(points.shape[1:])} | ({"mixture": mixture} if mixture else {})

    def batch(self):
        return {"point": self.points}


def _experiment(mixture=None):
    data = _Described(torch.randn(40, 2, generator=torch.Generator().manual_seed(1)), mixture)
    experiment = build(FGanRecipe(hidden=8, metric="modes" if mixture else "distance"), data)
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment, data


def test_each_phase_moves_its_own_player():
    """The critic's loss sends no gradient to the generator; the generator's reaches it through the critic."""
    experiment, data = _experiment()
    loss, logs = experiment(data.batch(), "critic")
    loss.backward()
    assert all(p.grad is None for p in experiment.generator_network.parameters())
    assert logs["bound"] == pytest.approx(-loss.item())
    experiment(data.batch(), "generator")[0].backward()
    assert all(p.grad.abs().max() > 0 for p in experiment.generator_network.parameters())


def test_a_mode_is_covered_by_good_samples_only():
    """Two modes: one well fed, one missed; a third sample far from both."""
    mixture = {"weights": (0.5, 0.5), "means": ((0.0, 0.0), (4.0, 0.0)), "stds": (0.1, 0.1)}
    experiment, _ = _experiment(mixture)
    fakes = torch.tensor([[0.0, 0.29], [0.1, 0.0], [2.0, 0.0], [4.0, 0.31]])
    assert experiment._modes(fakes) == {"modes": 1.0, "high_quality": 0.5}
    assert experiment._modes(torch.tensor([[0.0, 0.0], [4.0, 0.29]])) == {"modes": 2.0, "high_quality": 1.0}


def test_a_recipe_refuses_what_the_losses_refuse():
    """A missing or unexpected alpha is reported before anything trains."""
    with pytest.raises(ValueError, match="alpha"):
        FGanRecipe(divergence="alpha")
    with pytest.raises(ValueError, match="alpha"):
        FGanRecipe(divergence="gan", alpha=0.5)
    with pytest.raises(ValueError, match="hidden"):
        FGanRecipe(hidden=0)


def test_modes_are_counted_only_where_they_are_known():
    _, moons = points.load("two_moons", count=20)
    with pytest.raises(DataError, match="two_moons is not a mixture"):
        build(RECIPES["eight_gaussians_kl"], moons)
    assert build(RECIPES["two_moons"], moons).mixture is None
