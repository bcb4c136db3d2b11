"""The linear VAE compared with scikit-learn, and the divergence with SciPy."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch
from sklearn.decomposition import PCA

from practice_torch.engine.schedule import learning_rate_factor
from practice_torch.experiments.latent.vae_training import (
    RECIPES,
    TextVaeExperiment,
    TextVaeRecipe,
    VaeTrainingExperiment,
    VaeTrainingRecipe,
)
from practice_torch.latent import vae_training as practice

rng = np.random.default_rng(0)
DATA = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) + 1.0


def _fitted(latents):
    """scikit-learn's probabilistic PCA as the parameters of a linear VAE with its exact posterior."""
    pca = PCA(latents).fit(DATA)
    weight = pca.components_.T * np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    m = (weight**2).sum(0) + pca.noise_variance_
    parameters = weight, pca.mean_, np.log(pca.noise_variance_), weight.T / m[:, None], np.log(pca.noise_variance_ / m)
    return pca, [torch.tensor(parameter) for parameter in parameters]


def test_the_linear_vae_reaches_the_likelihood_of_probabilistic_pca():
    """score_samples is log p(x) of every row."""
    for latents in (1, 2, 3):
        pca, parameters = _fitted(latents)
        loss = practice.linear_vae_negative_elbo(torch.tensor(DATA), *parameters)
        np.testing.assert_allclose(-loss, pca.score_samples(DATA), rtol=1e-12)


def test_gradient_descent_from_anywhere_does_not_beat_probabilistic_pca():
    """The maximum-likelihood model (variances divided by N, not N - 1) has the best loss that L-BFGS finds."""
    _, (weight, mean, log_var, encoder, v) = _fitted(2)
    rescale = (len(DATA) - 1) / len(DATA)
    best = [weight * math.sqrt(rescale), mean, log_var + math.log(rescale), encoder / math.sqrt(rescale), v]
    x = torch.tensor(DATA)
    floor = practice.linear_vae_negative_elbo(x, *best).mean().item()
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.randn(p.shape, generator=generator, dtype=p.dtype).mul(0.5).requires_grad_() for p in best]
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-9, tolerance_change=0
    )

    def closure():
        optimizer.zero_grad()
        loss = practice.linear_vae_negative_elbo(x, *parameters).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    reached = closure().item()
    assert floor - 1e-9 <= reached <= floor + 1e-3


def test_divergence_of_one_latent_agrees_with_quadrature():
    """SciPy's adaptive integral of q (log q - log p)."""
    for mean, log_var in ((0.3, -1.0), (-2.0, 0.7)):
        q, p = scipy.stats.norm(mean, math.exp(log_var / 2)), scipy.stats.norm()
        wanted, _ = scipy.integrate.quad(lambda z, q=q, p=p: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -30, 30, epsabs=1e-12)
        got = practice.kl_per_dimension(*(torch.tensor([[a]], dtype=torch.float64) for a in (mean, log_var)))
        np.testing.assert_allclose(got.item(), wanted, rtol=1e-9)


def test_weights_are_floats_of_the_default_type():
    """Steps are integers; their weights multiply losses."""
    steps = torch.arange(4)
    for weights in (practice.linear_kl_weight(steps, warmup_steps=3), practice.cyclical_kl_weight(steps, cycle_length=3)):
        assert weights.dtype == torch.get_default_dtype()


def test_free_bits_propagate_nan():
    """A floor must not hide a divergence that has become NaN."""
    kl = torch.tensor([[0.1, math.nan], [0.1, 0.9]])
    assert practice.free_bits_kl(kl, minimum=0.5).isnan().tolist() == [True, False]


def test_training_weighs_the_divergence_by_its_schedule_and_floor():
    """The loss of each step is surprise + weight * floored KL; the logs say what they were, and the step survives in a buffer."""
    recipe = VaeTrainingRecipe(kl_schedule="linear", kl_warmup_steps=4, free_nats=0.5, hidden_dims=(5,), latent_dim=3)
    experiment = VaeTrainingExperiment(recipe, (1, 2, 3)).double()
    batch = {"image": torch.tensor(rng.uniform(size=(7, 1, 2, 3)))}
    x = (batch["image"].flatten(1) > 0.5).double()
    for step in range(6):
        experiment.generator = torch.Generator().manual_seed(step)
        noise = torch.randn(7, 3, generator=torch.Generator().manual_seed(step))
        logits, mean, log_var = experiment.network(x, noise)
        surprise = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1).mean()
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).mean(0)
        loss, logs = experiment(batch, "train")
        torch.testing.assert_close(loss, surprise + min(step / 4, 1) * kl.clamp(min=0.5).sum())
        torch.testing.assert_close(logs["kl"], kl.sum().detach())
    assert experiment.state_dict()["step"].item() == 6


@pytest.mark.parametrize("name", RECIPES)
def test_schedules_of_the_kl_leave_the_learning_rate_alone(name):
    recipe = RECIPES[name]
    assert {learning_rate_factor(step, recipe) for step in (1, 100, 2000, 5000, recipe.steps)} == {1.0}


class _Windows:
    """Random windows of seven letters."""

    def __init__(self, count=40, length=8):
        self.tokens = torch.randint(7, (count, length), generator=torch.Generator().manual_seed(0))

    def __len__(self):
        return len(self.tokens)

    def batch(self, rows=slice(None)):
        return {"tokens": self.tokens[rows]}


def _text(**fields):
    torch.manual_seed(0)
    recipe = TextVaeRecipe(**{"length": 8, "embedding": 5, "hidden": 6, "latent_dim": 3} | fields)
    experiment = TextVaeExperiment(recipe, {"characters": "abcdefg"})
    experiment.generator = torch.Generator().manual_seed(0)
    return experiment


@torch.no_grad()
def test_a_decoder_that_does_not_read_its_code_gains_nothing_from_it():
    """With the weights from z at zero the gain is zero in every digit; a decoder that does read it is told apart."""
    experiment, data = _text(), _Windows()
    assert experiment.evaluate(data)["code_gain"] != 0.0
    experiment.network.first_state.weight.data.zero_()
    experiment.network.decoder.input.weight.data[:, 5:].zero_()
    assert experiment.evaluate(data)["code_gain"] == 0.0


def test_word_dropout_hides_characters_from_the_trained_decoder_alone():
    """Nearly all are hidden: its loss no longer depends on the embeddings of letters by way of the decoder."""
    experiment, batch = _text(word_dropout=0.999999), _Windows().batch()
    experiment.network.encode = lambda tokens: (torch.zeros(len(tokens), 3), torch.zeros(len(tokens), 3))
    experiment.plain.encode = experiment.network.encode
    for phase, network, hidden in (("trained", experiment.network, True), ("plain", experiment.plain, False)):
        experiment(batch, phase)[0].backward()
        reached = network.embedding.weight.grad.abs().sum(1) > 0
        assert reached[7] and (not reached[:7].any()) == hidden
