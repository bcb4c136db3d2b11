"""Progressive growing compared with torch's layers and optimizer, and with NumPy's and SciPy's distances of faded images."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance_nd
from torch import nn
from torch.nn import functional

from practice_torch.adversarial import progressive_growing as practice
from practice_torch.data.errors import DataError
from practice_torch.engine.stages import place_at
from practice_torch.experiments.adversarial.progressive_growing import RECIPES, GrowingGan, build
from tests.support.engine.compiled import steps_compiled

GENERATOR = torch.Generator().manual_seed(16)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def faded(images, share):
    """Images, faded as real ones are."""
    return practice.fade_in(functional.avg_pool2d(images, 2), images, alpha=share)


def test_fading_in_is_torchs_upsampling_and_interpolation():
    low, high = draw(2, 3, 4, 5), draw(2, 3, 8, 10)
    for share in (0.0, 0.3, 1.0):
        wanted = torch.lerp(functional.interpolate(low, scale_factor=2, mode="nearest"), high, share)
        torch.testing.assert_close(practice.fade_in(low, high, alpha=share), wanted)


def test_pixel_normalization_is_torchs_up_to_the_root_of_the_channels():
    x = draw(2, 6, 3, 4)
    wanted = functional.normalize(x, dim=1) * 6**0.5
    torch.testing.assert_close(practice.pixel_normalize(x, epsilon=1e-30), wanted)


def test_equalized_weights_begin_as_torchs_he_initialization():
    """The same standard deviation, at the default gain for rectifiers, also of a kernel."""
    stored = draw(64, 32, 3, 3)
    found, wanted = practice.equalized_weight(stored), torch.empty_like(stored)
    nn.init.kaiming_normal_(wanted, nonlinearity="relu", generator=GENERATOR)
    assert found.std().item() == pytest.approx(wanted.std().item(), rel=0.02)


@pytest.mark.parametrize("width", [16, 4096])
def test_torchs_adam_moves_all_layers_at_one_relative_speed(width):
    """0.01 of the initial deviation in its first step, with equalized weights; root of fan-in over gain as fast without."""
    stored = draw(4, width).requires_grad_()
    plain = practice.equalized_weight(stored).detach().requires_grad_()
    begun, inputs, deviation = plain.detach().clone(), draw(5, width), (2 / width) ** 0.5
    for weight, used in ((stored, practice.equalized_weight), (plain, lambda weight: weight)):
        optimizer = torch.optim.Adam([weight], lr=0.01, eps=1e-16)
        functional.linear(inputs, used(weight)).square().sum().backward()
        optimizer.step()
    moved = (practice.equalized_weight(stored.detach()) - begun).abs() / deviation
    torch.testing.assert_close(moved, torch.full_like(moved, 0.01), rtol=1e-4, atol=0)
    moved = (plain.detach() - begun).abs() / deviation
    torch.testing.assert_close(moved, torch.full_like(moved, 0.01 / deviation), rtol=1e-4, atol=0)


def test_a_rectifiers_mean_square_is_kept_by_the_gain_of_root_two():
    """Through four wide layers, within the error of the random weights; a gain of 1 loses half in each."""
    for gain, wanted in ((2**0.5, 1.0), (1.0, 1 / 16)):
        x = draw(300, 512)
        for _ in range(4):
            x = functional.linear(x, practice.equalized_weight(draw(512, 512), gain=gain)).relu()
        assert x.square().mean().item() == pytest.approx(wanted, rel=0.2)


def test_the_wasserstein_distance_of_faded_images_grows_at_most_as_fast_as_the_share():
    """By SciPy's linear program, of two batches of blocks: the lecture's bound."""
    real, fakes = draw(6, 1, 2, 2), 2 * draw(6, 1, 2, 2) + 1
    size = sum((x - functional.interpolate(functional.avg_pool2d(x, 2), scale_factor=2)).flatten(1).norm(dim=1).mean()
               for x in (real, fakes)).item()  # fmt: skip
    shares = np.linspace(0, 1, 6)
    found = [wasserstein_distance_nd(faded(real, s).flatten(1).numpy(), faded(fakes, s).flatten(1).numpy()) for s in shares]
    steps = np.abs(np.diff(found))
    assert steps.max() > 0.01 and (steps <= 0.2 * size + 1e-12).all()


def test_the_schedule_is_a_loop_over_stages():
    stage, share = practice.growth_schedule(torch.arange(40), stage_steps=10, fade_steps=4)
    assert stage.tolist() == [s for s in range(4) for _ in range(10)]
    assert share.tolist() == [1.0] * 10 + 3 * [0.0, 0.25, 0.5, 0.75, *[1.0] * 6]


def test_both_networks_grow_continuously():
    """At alpha = 0 each level has the images and the scores of the level before."""
    sizes = dict(shape=(1, 8, 4), doublings=2, width=2, most_channels=5)
    generator, critic = (
        make.double() for make in (practice.GrowingGenerator(latent=3, **sizes), practice.GrowingCritic(**sizes))
    )
    z = draw(4, 3)
    for level in (1, 2):
        small, images = generator(z, level - 1, 1.0), draw(4, 1, *generator(z, level, 1.0).shape[2:])
        torch.testing.assert_close(generator(z, level, 0.0), functional.interpolate(small, scale_factor=2, mode="nearest"))
        torch.testing.assert_close(critic(images, level, 0.0), critic(functional.avg_pool2d(images, 2), level - 1, 1.0))
        assert not torch.allclose(critic(images, level, 1.0), critic(images, level, 0.0))


def test_images_that_cannot_be_halved_often_enough_are_refused():
    images = SimpleNamespace(description={"shape": [1, 8, 6]})
    with pytest.raises(DataError, match="images of 8 x 6 pixels cannot be halved 2 times"):
        build(replace(RECIPES["digits"], doublings=2), images)


def test_a_training_has_the_levels_of_the_schedule():
    """Of every step, also where the sizes below half the full one are one stage."""
    recipe = replace(RECIPES["digits"], steps=20, doublings=3, fade=0.4)
    experiment, stages = GrowingGan(recipe, {"shape": (1, 8, 8)}), recipe.stages()
    assert [(stage.name, stage.steps) for stage in stages] == [("coarse", 10), ("half", 5), ("full", 5)]
    level, share = practice.growth_schedule(2 * torch.arange(20) + 1, stage_steps=10, fade_steps=4)
    for step in range(20):
        experiment.place = place_at(stages, step)
        assert experiment._growth() == (level[step].item(), pytest.approx(share[step].item()))


def test_players_that_grow_would_be_compiled_in_every_step(monkeypatch):
    """They are not compiled, and say why."""
    assert not steps_compiled("adversarial/progressive_growing", "digits").compilation.compiled
    monkeypatch.setattr(GrowingGan, "eager", {})
    with pytest.raises(AssertionError, match="compiled again in a second step.*'critic'"):
        steps_compiled("adversarial/progressive_growing", "digits").require_as_said()
