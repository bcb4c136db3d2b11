"""PixelCNN beyond its rows: an outside reference, what the network sees, drawing pixel by pixel, and the experiment."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from practice_torch.autoregressive import pixelcnn as practice
from practice_torch.data.image_set import Images
from practice_torch.experiments.autoregressive.pixelcnn import RECIPES
from practice_torch.networks.wavenet import draw
from tests.support import tiny


def network(**changes):
    """In evaluation and float64, with weights so large that every code depends on those before it, and on the class."""
    torch.manual_seed(1)
    sizes = dict(num_levels=5, colors=1, width=16, layers=2) | changes
    made = practice.GatedPixelCNN(**sizes).double().eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.copy_(torch.randn_like(parameter) if name.endswith("condition.weight") else 3 * parameter)
    return made


def drawn(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_masked_convolution_is_scipys_correlation():
    rng = np.random.default_rng(0)
    x, weight, bias = rng.standard_normal((2, 3, 6, 4)), rng.standard_normal((4, 3, 5, 5)), rng.standard_normal(4)
    mask = practice.pixel_mask(out_channels=4, in_channels=3, kernel_size=5, mask_type="A", colors=1)
    kernels = weight * mask.numpy()
    wanted = [
        [
            sum(correlate2d(image[i], kernel[i], mode="same") for i in range(3)) + b
            for kernel, b in zip(kernels, bias, strict=True)
        ]
        for image in x
    ]
    found = practice.masked_convolution(*map(torch.from_numpy, (x, weight, bias)), mask)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12, atol=1e-12)


def test_a_logit_sees_all_that_is_earlier_and_nothing_else():
    """Every code is changed in turn: the logits that move are those of later pixels and of later colors of the same one."""
    made, codes = network(colors=2, layers=3), (5 * drawn(1, 2, 3, 4)).long()
    order = torch.arange(24).view(3, 4, 2).permute(2, 0, 1)
    with torch.no_grad():
        before = made(codes)
        for place in itertools.product(range(2), range(3), range(4)):
            changed = codes.clone()
            changed[0, *place] = (changed[0, *place] + 2) % 5
            moved = (made(changed) != before).any(-1)[0]
            assert torch.equal(moved, order > order[place]), place


@pytest.mark.parametrize(("colors", "shape"), [(1, (2, 2)), (2, (1, 3))])
def test_all_images_have_probability_one_together(colors, shape):
    made = network(num_levels=2, colors=colors)
    every = torch.cartesian_prod(*[torch.arange(2)] * (colors * math.prod(shape))).view(-1, colors, *shape)
    with torch.no_grad():
        torch.testing.assert_close(made.log_prob(every).exp().sum(), torch.ones((), dtype=torch.float64))


def naively(made, uniforms, label, rows=0, codes=None):
    """Codes drawn one after another, every one with a pass over the whole image."""
    codes = torch.zeros(uniforms.shape[:4], dtype=torch.long) if codes is None else codes.clone()
    for i, j, color in itertools.product(range(rows, codes.shape[2]), range(codes.shape[3]), range(codes.shape[1])):
        codes[:, color, i, j] = draw(made(codes, label)[:, color, i, j], uniforms[:, color, i, j, 0])
    return codes


@pytest.mark.parametrize(("colors", "kernel_size", "classes"), [(1, 3, 3), (2, 5, 0)])
def test_drawing_with_what_was_kept_is_drawing_with_whole_passes(colors, kernel_size, classes):
    """From nothing, and after two given rows: every layer's rows and columns go round more than once."""
    made, uniforms = network(colors=colors, kernel_size=kernel_size, classes=classes), drawn(3, colors, 4, 3, 1)
    label = torch.tensor([0, 1, 2]) if classes else None
    with torch.no_grad():
        codes = made.generate(uniforms, label)
        assert torch.equal(codes, naively(made, uniforms, label)) and codes.unique().numel() > 3
        given = (codes[:, :, :2] + 1) % 5
        completed = made.generate(uniforms, label, given)
        start = torch.cat([given, torch.zeros_like(codes[:, :, 2:])], 2)
        assert torch.equal(completed, naively(made, uniforms, label, 2, start))
    assert torch.equal(completed[:, :, :2], given) and not torch.equal(completed[:, :, 2:], codes[:, :, 2:])


def test_a_class_that_is_missing_or_too_much_is_refused():
    codes = torch.zeros(2, 1, 3, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="label is missing"):
        network(classes=3)(codes)
    with pytest.raises(ValueError, match="label is given"):
        network()(codes, torch.tensor([0, 1]))


# ---------------------------------------------------------------------------------------------------- the experiment


def experiment_on(**changes):
    recipe = tiny.small(RECIPES["digits"], **changes)
    experiment, batch = tiny.built("autoregressive/pixelcnn", recipe)
    return experiment.eval(), Images((batch["image"] * 255).to(torch.uint8), batch["label"], 255, {}), batch


def test_bits_are_those_of_the_conditionals():
    """By hand, pixel by pixel; the loss that is trained is the same in nats; and a class accuracy for data with classes alone."""
    experiment, data, _ = experiment_on(conditional=False)
    experiment._training = data
    codes, total = (data.batch()["image"] * 16).round().long(), 0.0
    with torch.no_grad():
        found = experiment.evaluate(data)
        for image in codes:
            log_probs = experiment.network(image[None])[0].double().log_softmax(-1)
            total -= sum(float(log_probs[0, i, j, image[0, i, j]]) for i, j in itertools.product(range(8), repeat=2))
        loss, logs = experiment(data.batch(), "train")
    bits = total / codes.numel() / math.log(2)
    assert found.keys() == {"bits_per_dimension", "independent_pixels"}
    assert (
        found["bits_per_dimension"] == pytest.approx(bits, rel=1e-6) == pytest.approx(float(logs["bits_per_dimension"]), rel=1e-5)
    )
    assert float(loss) == pytest.approx(bits * math.log(2), rel=1e-5)


def test_completions_keep_the_upper_half_and_samples_have_a_column_a_class():
    experiment, data, _ = experiment_on()
    with torch.no_grad():
        shown = experiment.preview(data)
    images, real = shown["completions"].images.view(6, 8, 1, 8, 8), (data.batch()["image"] * 16).round() / 16
    torch.testing.assert_close(images[:, 0], real)
    torch.testing.assert_close(images[:, 1:, :, :4], real[:, None, :, :4].expand(-1, 7, -1, -1, -1))
    lower = images[:, :, :, 4:].flatten(2)
    assert all(len(rows.unique(dim=0)) == 8 for rows in lower)
    assert shown["samples"].columns == 3 and shown["samples"].images.shape == (30, 1, 8, 8)


def test_bits_are_drawn_and_cost_what_each_image_costs():
    """Nats by the network's law of one image after another, and of independent pixels by torch.distributions."""
    recipe = dataclasses.replace(tiny.small(RECIPES["mnist"]), width=4, layers=1)
    experiment, batch = tiny.built("autoregressive/pixelcnn", recipe)
    data = tiny.data_of(recipe)
    experiment._training = data  # a cached property: nothing is loaded
    experiment.eval().requires_grad_(False).generator.manual_seed(1)
    found = experiment.evaluate(data)
    image = batch["image"]
    bits = torch.bernoulli(image, generator=torch.Generator().manual_seed(1))
    nats = -sum(experiment.network.log_prob(bits[k : k + 1].long()).item() for k in range(len(bits))) / len(bits)
    mean = (image.double().sum(0) + 1) / (len(image) + 2)
    independent = -torch.distributions.Bernoulli(mean, validate_args=False).log_prob(mean).sum().item()
    assert image.unique().numel() > 2, "images of bits would not be drawn"
    assert found["nats_per_image"] == pytest.approx(nats, rel=1e-5)
    assert found["bits_per_dimension"] == pytest.approx(nats / image[0].numel() / math.log(2), rel=1e-5)
    assert found["independent_pixels"] == pytest.approx(independent, rel=1e-6)
    assert experiment.sample(4)["samples"].images.unique().tolist() == [0.0, 1.0]
