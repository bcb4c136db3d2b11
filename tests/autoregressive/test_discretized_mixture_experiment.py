"""The experiment of discretized mixtures: a law over images, which is drawn from and evaluated as it is."""

import math

import pytest
import torch

from practice_torch.experiments.autoregressive.discretized_mixture import RECIPES, MixturePixelCNN
from tests.support import tiny


def network(**changes):
    """In evaluation and float64, with weights so large that pixels and colors depend on each other."""
    torch.manual_seed(1)
    made = MixturePixelCNN(**dict(num_levels=3, colors=1, components=2, width=8, layers=2) | changes).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2)
    return made


@pytest.mark.parametrize(("colors", "num_levels", "shape"), [(1, 3, (2, 2)), (3, 2, (1, 2))])
def test_images_are_drawn_with_their_probabilities_which_sum_to_one(colors, num_levels, shape):
    """All images of a few pixels: in the other order of colors, or with another component for each, they would differ."""
    made, draws, size = network(colors=colors, num_levels=num_levels), 4000, colors * math.prod(shape)
    every = torch.cartesian_prod(*[torch.arange(num_levels)] * size)
    with torch.no_grad():
        log_probs = made.log_prob(every.view(-1, colors, *shape))
        uniforms = torch.rand(draws, colors, *shape, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        drawn = made.generate(uniforms).flatten(1)
    torch.testing.assert_close(log_probs.exp().sum(), torch.ones((), dtype=torch.float64))
    share = (drawn[:, None] == every).all(2).double().mean(0)
    # of a chi-square with as many degrees of freedom, five deviations
    statistic = (draws * (share - log_probs.exp()) ** 2 / log_probs.exp()).sum()
    assert statistic < len(every) + 5 * math.sqrt(2 * len(every))


def test_a_pixel_has_one_component_for_all_its_colors():
    """The colors of a first pixel are dependent where each alone has a mixture, and no mean is moved."""
    made = network(colors=2, num_levels=3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
        made.laws.bias.view(6, 2)[1:3] = torch.tensor([-4.0, 4.0])  # means; the logits are equal
        every = torch.cartesian_prod(torch.arange(3), torch.arange(3))
        joint = made.log_prob(every.view(-1, 2, 1, 1)).exp().view(3, 3)
    assert joint[0, 0] > 0.4 and joint[2, 2] > 0.4 and joint[0, 2] < 0.1


def test_every_level_of_the_digits_is_drawn_on_the_grid():
    experiment, batch = tiny.built("autoregressive/discretized_mixture", tiny.small(RECIPES["digits"]))
    with torch.no_grad():
        images = experiment.eval().sample(30)["samples"].images
    assert images.shape == (30, 1, 8, 8) and torch.equal((images * 16).round() / 16, images)
    assert float(images.min()) == 0 and float(images.max()) == 1
