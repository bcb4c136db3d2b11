"""Masked autoregressive flows compared with SciPy and another library of flows, and the purpose of the network."""

import numpy as np
import pytest
import scipy.stats
import torch

from practice_torch.data.images import KNOWN
from practice_torch.experiments.flows.masked_autoregressive import PUBLISHED, RECIPES
from practice_torch.flows import masked_autoregressive as practice
from practice_torch.flows.change_of_variables import standard_normal_log_prob
from practice_torch.flows.dequantization import logit_forward
from tests.support import tiny
from tests.support.engine.compiled import steps_compiled

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _moved():
    torch.manual_seed(0)
    network = practice.MAF(dim=4, layers=3, hidden=(8, 8), bound=2.0).double()
    assert torch.equal(network(X)[0], X.flip(1))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network


def test_the_network_is_inverted_and_its_log_determinant_is_that_of_its_jacobian():
    """With weights that are not 0, as after training; it begins at the identity, with the order reversed three times."""
    network = _moved()
    z, log_det = network(X)
    x, back = network.inverse(z)
    torch.testing.assert_close(x, X)
    torch.testing.assert_close(back, -log_det)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: network(row[None])[0][0]))(X)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det)


@pytest.mark.parametrize("bound", [0.0, -1.0, 81.0, float("nan")])
def test_a_bound_whose_exponential_is_no_float32_is_refused(bound):
    with pytest.raises(ValueError, match=f"bound is {bound}; it must be positive, and at most 80"):
        practice.MAF(dim=2, layers=1, hidden=(4,), bound=bound)


@pytest.mark.parametrize("drawn", [False, True])
def test_the_published_network_standardizes_a_batch_and_is_inverted_by_averages(drawn):
    """In training its noise has mean 0 and variance 1; conditions of an entry depend on those before it."""
    torch.manual_seed(0)
    network = practice.PublishedMAF(dim=4, layers=3, hidden=(16, 17), drawn_degrees=drawn, decay=0.75).double()
    x = 1 + 3 * torch.randn(50, 4, dtype=torch.float64)
    z, _ = network(x)
    torch.testing.assert_close(z.mean(0), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(z.var(0, correction=0), torch.ones(4, dtype=torch.float64), rtol=1e-3, atol=0)
    first, _ = practice.forward(x, lambda y: network._conditions(0, y))
    torch.testing.assert_close(network.norms[0].moments.mean, 0.25 * first.mean(0).detach())
    torch.testing.assert_close(network.norms[0].moments.variance, 0.75 + 0.25 * first.var(0).detach())
    network.eval()
    z, log_det = network(X)
    back, there = network.inverse(z)
    torch.testing.assert_close(back, X)
    torch.testing.assert_close(there, -log_det)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: network(row[None])[0][0]))(X)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det)
    own = torch.func.vmap(torch.func.jacrev(lambda row: network._conditions(1, row[None])[0][0]))(X)
    seen = own.abs().sum(0) > 0
    assert not seen.triu().any() and (drawn or torch.equal(seen, torch.ones(4, 4).tril(-1).bool()))


def test_degrees_that_are_drawn_differ_between_networks_and_are_those_of_every_run():
    one, two = (practice.PublishedMAF(dim=9, layers=2, hidden=(7, 7), drawn_degrees=True, decay=0.9) for _ in range(2))
    assert one.degrees == two.degrees and one.degrees[0] != one.degrees[1]
    for degrees in one.degrees:
        assert set(degrees[1]) | set(degrees[2]) <= set(range(1, 9)) and min(degrees[2]) >= min(degrees[1])


def test_the_published_network_is_compiled_with_its_running_moments():
    steps_compiled("flows/masked_autoregressive", "cifar10").require_as_said()


@pytest.mark.parametrize(("name", "margin"), [("mnist", 1e-6), ("cifar10", 0.05)])
def test_pixels_are_mapped_as_in_the_authors_code(name, margin):
    """logit(alpha + (1 - 2 alpha) x), alpha as in its datasets."""
    y = torch.linspace(0, 1, 5, dtype=torch.float64)[None]
    torch.testing.assert_close(logit_forward(y, alpha=RECIPES[name].alpha)[0], torch.logit(margin + (1 - 2 * margin) * y))


@pytest.mark.parametrize(("dim", "hidden"), [(1, (3,)), (2, (3, 2)), (5, (3, 7))])
def test_units_computed_once_give_what_passes_of_the_whole_network_give(dim, hidden):
    """The network's inverse against the topic's, which asks for all conditions in every pass; values and gradients."""
    torch.manual_seed(1)
    network = practice.MAF(dim=dim, layers=1, hidden=hidden, bound=2.0).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    z = torch.randn(6, dim, dtype=torch.float64)
    wanted = practice.inverse(z.flip(1), lambda y: network._conditions(network.networks[0], y))
    found = network.inverse(z)
    torch.testing.assert_close(found, wanted)
    slopes = [torch.autograd.grad((x**2).sum() + log_det.sin().sum(), network.parameters()) for x, log_det in (found, wanted)]
    torch.testing.assert_close(*slopes)


def test_the_flow_is_a_chain_of_normal_conditionals():
    """scipy.stats.norm for every variable, with mean x_(d-1)/2 and standard deviation e^0.3."""
    before = torch.cat([torch.zeros(6, 1), X[:, :-1]], 1)
    z, log_det = practice.forward(X, lambda x: (torch.cat([0 * x[:, :1], x[:, :-1]], 1) / 2, 0 * x + 0.3))
    wanted = scipy.stats.norm.logpdf(X, before / 2, np.exp(0.3)).sum(1)
    np.testing.assert_allclose(standard_normal_log_prob(z) + log_det, wanted, rtol=1e-12)


@pytest.mark.peers("zuko")
def test_zuko_standardizes_in_the_same_order():
    """zuko.transforms.AutoregressiveTransform of as many passes, with its own bend of the log-scales undone."""
    import zuko

    weight = torch.tril(torch.linspace(-1, 1, 16, dtype=torch.float64).view(4, 4), -1)

    def affine(x):
        each = zuko.transforms.MonotonicAffineTransform(x @ weight.T, 0.3 * x @ weight.T)
        return zuko.transforms.DependentTransform(each, 1)

    def conditions(x):
        law = affine(x).base
        return -law.shift * (-law.log_scale).exp(), -law.log_scale

    peer = zuko.transforms.AutoregressiveTransform(affine, passes=4)
    z, log_det = practice.forward(X, conditions)
    theirs, their_log_det = peer.call_and_ladj(X)
    torch.testing.assert_close(theirs, z)
    torch.testing.assert_close(their_log_det, log_det)
    torch.testing.assert_close(peer.inv(z), practice.inverse(z, conditions)[0])


def test_bits_and_nats_of_the_flow_at_the_identity_are_those_of_scipys_normal():
    """Of pixels with noise: the density of their logits in nats, and that of the pixels' cells in bits for each pixel."""
    experiment, batch = tiny.built("flows/masked_autoregressive", tiny.small(RECIPES["digits"]))
    with torch.no_grad():
        found = experiment.evaluate(tiny.Random(experiment.recipe))
    x, alpha = (batch["image"] * 16).round().double().numpy(), experiment.recipe.alpha
    draws, nats, bits = torch.Generator().manual_seed(0), [], []
    for _ in range(experiment.recipe.noises):
        p = alpha / 2 + (1 - alpha) * (x + torch.rand(x.shape, generator=draws).numpy()) / 17
        nats.append(-scipy.stats.norm.logpdf(np.log(p / (1 - p))).sum((1, 2, 3)).mean())
        bits.append((nats[-1] / 64 - np.log((1 - alpha) / (p * (1 - p))).mean() + np.log(17)) / np.log(2))
    assert found["negative_log_likelihood"] == pytest.approx(np.mean(nats), rel=1e-6)
    assert found["bits_per_dimension"] == pytest.approx(np.mean(bits), rel=1e-6)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_recipes_of_published_size_stop_after_30_epochs_without_a_better_evaluation(name):
    """As the authors' trainer: patience 30, one evaluation an epoch; images that are mirrored count twice (cifar10)."""
    recipe = RECIPES[name]
    epoch = KNOWN[recipe.data][2] * (2 if recipe.augment_flip else 1) / recipe.batch_size
    assert recipe.patience * recipe.evaluate_every == 30 * epoch
    assert recipe.steps == 100 * epoch and recipe.keeps_best()
    assert recipe.metric == "negative_log_likelihood" and recipe.direction == "lower"
