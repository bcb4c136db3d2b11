"""Conditioning on labels and the rate between two Gaussians compared with torch; results of the experiment."""

import dataclasses

import pytest
import torch
from torch.nn import functional

from practice_torch.data.errors import DataError
from practice_torch.engine.batches.datasets import Described
from practice_torch.experiments.latent.conditional_vae import RECIPES, build
from practice_torch.latent import conditional_vae as practice

GENERATOR = torch.Generator().manual_seed(0)
LABELS = torch.tensor([2, 0, 1, 2])


def test_one_hot_rows_are_those_of_torch():
    """torch.nn.functional.one_hot, of every width of integers that holds the labels."""
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.int64):
        wanted = functional.one_hot(LABELS, 4).to(torch.get_default_dtype())
        torch.testing.assert_close(practice.one_hot(LABELS.to(dtype), num_classes=4), wanted)


def test_a_convolution_over_the_planes_shifts_its_channels():
    """torch's conv2d without padding: the modulation with scale 0."""
    image, kernel = (torch.randn(*shape, generator=GENERATOR) for shape in ((4, 2, 6, 6), (5, 5, 3, 3)))
    got = functional.conv2d(practice.condition_channels(image, LABELS, num_classes=3), kernel)
    shift = kernel[:, 2:].sum((2, 3)).T[LABELS]
    wanted = practice.feature_wise_modulation(functional.conv2d(image, kernel[:, :2]), torch.zeros(4, 5), shift)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def test_the_bound_is_that_of_torch_distributions():
    """kl_divergence of two normals, and the log-probability of Bernoulli pixels."""
    x = torch.bernoulli(torch.full((4, 6), 0.5), generator=GENERATOR)
    logits, *given = (torch.randn(4, size, generator=GENERATOR) for size in (6, 3, 3, 3, 3))
    posterior, prior = (torch.distributions.Normal(m, (v / 2).exp()) for m, v in (given[:2], given[2:]))
    rate = torch.distributions.kl_divergence(posterior, prior).sum(1)
    wanted = rate - torch.distributions.Bernoulli(logits=logits).log_prob(x).sum(1)
    torch.testing.assert_close(practice.conditional_negative_elbo(x, logits, *given), wanted)


def test_a_model_with_labels_classifies():
    """Two classes of independent pixels, which no z changes: the lower bound decides as the likelihoods of torch do."""
    logits = 3 * torch.randn(2, 8, generator=GENERATOR)
    x = torch.bernoulli(torch.full((200, 8), 0.5), generator=GENERATOR)
    zero = torch.zeros(len(x), 1)
    costs = [practice.conditional_negative_elbo(x, of_class.expand_as(x), zero, zero, zero, zero) for of_class in logits]
    wanted = [torch.distributions.Bernoulli(logits=of_class).log_prob(x).sum(1) for of_class in logits]
    assert torch.equal(torch.stack(costs).argmin(0), torch.stack(wanted).argmax(0))


def _experiment(**changes):
    """An untrained experiment on images of 4 x 4 pixels of three classes."""
    torch.manual_seed(0)
    recipe = dataclasses.replace(RECIPES["digits"], hidden_dims=(9,), latent_dim=4, **changes)
    experiment = build(recipe, Described({"name": "small", "shape": [1, 4, 4], "classes": list("abc")}))
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment.eval()


def test_the_network_uses_the_label_at_three_places():
    """Code, image and learned prior change with the label; the prior without labels is a standard normal."""
    experiment = _experiment(prior="learned")
    network, x, labels = experiment.network, torch.rand(2, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1])
    with torch.no_grad():
        network.prior_mean.copy_(torch.arange(12.0).view(3, 4))
        z, turned = torch.ones(2, 4), labels.flip(0)
        assert not torch.allclose(network.encode(x, labels)[0], network.encode(x, turned)[0])
        assert not torch.allclose(network.decode(z, labels), network.decode(z, turned))
        assert network.prior(labels.to(torch.uint8))[0].equal(torch.arange(8.0).view(2, 4))
    assert all(part.equal(torch.zeros(2, 4)) for part in _experiment().network.prior(labels))


@torch.no_grad()
def test_grids_keep_what_they_say_they_keep():
    """Rows of one class from the same draws, walks between two draws, and codes decoded as every class next to their image."""
    experiment = _experiment()
    decode = experiment.network.decode
    classes = experiment.class_grid(columns=5).images.view(3, 5, 16)
    walks = experiment.walks(columns=5).images.view(3, 5, 16)
    for images in (classes, walks):
        assert not torch.allclose(images[0], images[1])
    experiment.generator.manual_seed(0)
    z = torch.randn(5, 4, generator=experiment.generator)
    torch.testing.assert_close(classes[2], torch.sigmoid(decode(z, torch.full((5,), 2))))
    ends = torch.randn(2, 4, generator=experiment.generator)
    torch.testing.assert_close(walks[1, [0, 4]], torch.sigmoid(decode(ends, torch.ones(2, dtype=torch.int64))))
    image, labels = torch.rand(2, 1, 4, 4, generator=experiment.generator), torch.tensor([2, 0])
    swaps = experiment.swaps(image, labels).images.view(2, 4, 16)
    x = (image.flatten(1) > experiment.recipe.threshold).float()
    torch.testing.assert_close(swaps[:, 0], x)
    mean, _ = experiment.network.encode(x, labels)
    for k in range(3):
        torch.testing.assert_close(swaps[:, 1 + k], torch.sigmoid(decode(mean, torch.full((2,), k))))


def test_data_without_labels_are_refused():
    with pytest.raises(DataError, match="small has no labels, which are the condition: give each class a sub-folder"):
        build(RECIPES["digits"], Described({"name": "small", "shape": [1, 4, 4], "classes": None}))
