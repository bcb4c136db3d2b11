"""What torch says of labels that are handed to a network, and of the rate between two Gaussians."""

import torch
from torch.nn import functional

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
