"""Preconditioning compared with diffusers, and on Gaussian data, and the behavior of its experiment."""

import numpy as np
import pytest
import torch

from practice_torch.diffusion import edm as practice
from practice_torch.experiments.diffusion.edm import EdmRecipe, build
from practice_torch.networks.ddpm_plus_plus import DdpmPlusPlus

GENERATOR = torch.Generator().manual_seed(27)


def draw(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def test_the_factors_are_those_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.EDMEulerScheduler(sigma_data=0.847)
    x, answer = draw(4, 3), draw(4, 3)
    for level in (0.002, 0.5, 80.0):
        sigma = torch.tensor(level, dtype=torch.float64)
        seen = []

        def network(scaled, level, seen=seen):
            seen.append(scaled)
            return answer

        found = practice.denoise(x, sigma.expand(4), network, sigma_data=0.847)
        torch.testing.assert_close(seen[0], scheduler.precondition_inputs(x, sigma))
        torch.testing.assert_close(found, scheduler.precondition_outputs(x, answer, sigma))


def test_regression_finds_no_slope_on_gaussian_data_and_one_on_two_points():
    """The best linear network of what is seen: nothing is left of Gaussian data, and of two points nothing linear either."""
    sigma = torch.full((200_000,), 0.7, dtype=torch.float64)
    for data in (0.5 * draw(200_000), 0.5 * draw(200_000).sign()):
        noise = draw(200_000)
        skip, out, into, _ = practice.preconditioning(sigma)
        noisy = data + sigma * noise
        seen, target = into * noisy, (data - skip * noisy) / out
        assert abs((seen * target).mean()) < 0.015 and abs(target.square().mean() - 1) < 0.02  # five standard errors
    cubic = (seen**3 * target).mean() - 3 * (seen * target).mean()
    assert abs(cubic) > 0.1  # two points are no Gaussian: the third moment is informative


def test_the_loss_keeps_its_digits_at_a_small_level():
    """In float32, against float64; D - x_0 of two nearly equal numbers would lose them."""
    x0, noise = draw(3, 4), draw(3, 4)
    sigma = torch.full((3,), 1e-6, dtype=torch.float64)
    wanted = practice.edm_loss(x0, noise, sigma, lambda x, level: 0.3 * x)
    found = practice.edm_loss(x0.float(), noise.float(), sigma.float(), lambda x, level: 0.3 * x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


# ---------------------------------------------------------------------------------------------------- the experiment


class GaussianImages:
    """A stand-in for a data set: 40 images with Gaussian pixels on [-1, 1], of root mean square 1/2."""

    description = {"name": "gaussian", "shape": [1, 8, 8], "classes": None}

    def __init__(self):
        self.image = (1 + 0.5 * torch.randn(40, 1, 8, 8, generator=torch.Generator().manual_seed(1))) / 2

    def __len__(self):
        return 40

    def batch(self, indices=slice(None)):
        return {"image": self.image[indices]}


def experiment(**fields):
    torch.manual_seed(0)
    data = GaussianImages()
    recipe = EdmRecipe(**{"base_channels": 8, "multipliers": (1, 2), "blocks": 1, "judged_samples": 60} | fields)
    model = build(recipe, data)
    model.generator = torch.Generator().manual_seed(0)
    return model.eval(), data


def test_a_zero_network_has_a_loss_of_one_and_is_right_about_gaussian_data():
    """Networks begin at zero. Their skip is the denoiser of Gaussian data, so that what is drawn is distributed as the data."""
    model, data = experiment()
    with torch.no_grad():
        found = model.evaluate(data)
        drawn = 2 * model._drawn(200) - 1
    for name in ("loss", "loss_small", "loss_middle", "loss_large"):
        assert found[name] == pytest.approx(1.0, abs=0.1)
    assert found["root_mean_square"] == pytest.approx(0.5, abs=0.02)
    assert drawn.std() == pytest.approx(0.48, abs=0.03)  # of Gaussian pixels that are clipped to [-1, 1]


def test_levels_fall_from_the_largest_to_zero():
    model, _ = experiment(sampling_steps=5, sigma_max=10.0, sigma_min=0.01)
    assert model.levels[0] == pytest.approx(10.0) and model.levels[-2] == pytest.approx(0.01) and model.levels[-1] == 0
    assert (model.levels.diff() < 0).all() and len(model.levels) == 6


def test_a_recipe_refuses_levels_that_do_not_fall():
    with pytest.raises(ValueError, match="sigma_max"):
        EdmRecipe(sigma_min=1.0, sigma_max=0.5)


def test_both_methods_call_the_network_equally_often(monkeypatch):
    model, data = experiment(sampling_steps=4)
    asked = []
    monkeypatch.setattr(model, "_data", lambda x, sigma: asked.append(sigma[0].item()) or x / 2)
    model._distances(data, model.levels, model._levels(7))
    assert len(asked) == 2 * 7
    assert asked[0] == asked[7] == model.levels[0] and asked[6] == asked[-1] == pytest.approx(0.002)


# ---------------------------------------------------------------------------------------------------- DDPM++


SMALL = dict(channels=2, size=(8, 8), base_channels=8, multipliers=(1, 2), blocks=1)


def test_ddpm_plus_plus_without_augmentations_is_told_zeros():
    torch.manual_seed(0)
    network = DdpmPlusPlus(**SMALL, augmentations=9)
    torch.nn.init.normal_(network.output.weight)
    x, level = draw(3, 2, 8, 8).float(), draw(3).float()
    assert torch.equal(network(x, level), network(x, level, torch.zeros(3, 9)))
    assert not torch.allclose(network(x, level), network(x, level, torch.ones(3, 9)))


def test_ddpm_plus_plus_compiles_as_one_graph():
    torch._dynamo.reset()
    network, given = DdpmPlusPlus(**SMALL, augmentations=9), (torch.ones(2, 2, 8, 8), torch.ones(2), torch.ones(2, 9))
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*given), network(*given))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (dict(size=(8, 8, 8)), "size is .* a height and a width"),
        (dict(multipliers=()), "multipliers is"),
        (dict(size=(8, 5)), r"size is \(8, 5\); with 2 multipliers it must be a multiple of 2"),
        (dict(base_channels=6), "base_channels is 6; it must be a multiple of 4"),
        (dict(blocks=0), "blocks is 0"),
        (dict(attention_at=(16,)), "attention_at has 16; the levels have heights 8, 4"),
    ],
)
def test_sizes_that_ddpm_plus_plus_cannot_have_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        DdpmPlusPlus(**SMALL | sizes)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 2, 8), (2,), (2, 9)), "x has shape"),
        (((2, 1, 8, 8), (2,), (2, 9)), "x has 1 channels; this network was built for 2"),
        (((2, 2, 8, 5), (2,), (2, 9)), "x is 8 x 5; this network takes multiples of 2 only"),
        (((2, 2, 8, 8), (3,), (2, 9)), "level"),
        (((2, 2, 8, 8), (2,), (2, 8)), "augmentation"),
    ],
)
def test_inputs_that_do_not_fit_ddpm_plus_plus_are_refused(shapes, message):
    with pytest.raises(ValueError, match=message):
        DdpmPlusPlus(**SMALL, augmentations=9)(*map(torch.zeros, shapes))
    with pytest.raises(ValueError, match="built without augmentations"):
        DdpmPlusPlus(**SMALL)(torch.zeros(2, 2, 8, 8), torch.zeros(2), torch.zeros(2, 9))


@pytest.mark.parametrize(
    ("fields", "message"),
    [(dict(augmentation=0.1), "augmentation .* 0 unless network is"), (dict(network="ddpm++"), "compact .* False with network")],
)
def test_options_without_effect_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        EdmRecipe(**fields)
