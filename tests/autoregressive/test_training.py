"""The language model's loss against torch's and optax's own."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from torch.nn import functional

from practice_torch.autoregressive import training as practice
from practice_torch.experiments.autoregressive.transformer import RECIPES, build
from theory_jax.autoregressive import training as theory

rng = np.random.default_rng(0)
TOKENS, LOGITS = rng.integers(0, 7, (3, 6)), rng.normal(size=(3, 5, 7), scale=3.0)
MASK = np.arange(6) < np.array([[6], [3], [5]])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_token_losses_are_torchs(smoothing):
    """torch spreads the smoothing over all V tokens, the target among them; so do we."""
    targets, logits = torch.tensor(TOKENS[:, 1:]), torch.tensor(LOGITS)
    wanted = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none", label_smoothing=smoothing)
    got = practice.token_cross_entropy(targets, logits, None, label_smoothing=smoothing)
    torch.testing.assert_close(got.flatten(), wanted, rtol=1e-13, atol=1e-13)


def test_token_losses_are_optaxs():
    targets, logits = jnp.asarray(TOKENS[:, 1:]), jnp.asarray(LOGITS)
    wanted = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    np.testing.assert_allclose(theory.token_cross_entropy(targets, logits, None), wanted, rtol=1e-12)
    wanted = optax.softmax_cross_entropy(logits, optax.smooth_labels(jax.nn.one_hot(targets, 7), 0.1))
    np.testing.assert_allclose(theory.token_cross_entropy(targets, logits, None, label_smoothing=0.1), wanted, rtol=1e-12)


def test_the_whole_loss_is_torchs_mean_with_ignored_targets():
    """Shift, mask and mean at once: torch leaves targets of -100 out of the sum and out of the count."""
    tokens, mask, logits = torch.tensor(TOKENS), torch.tensor(MASK), torch.tensor(LOGITS)
    _, targets, valid = practice.next_token_pairs(tokens, mask)
    got = practice.corpus_cross_entropy(practice.token_cross_entropy(targets, logits, valid), valid)
    ignored = tokens.masked_fill(~mask, -100)[:, 1:]
    wanted = functional.cross_entropy(logits.flatten(0, 1), ignored.flatten())
    torch.testing.assert_close(got, wanted, rtol=1e-13, atol=1e-13)


def test_the_language_model_is_trained_with_this_loss():
    """The experiment of autoregressive/transformer, with all tokens valid."""
    recipe = dataclasses.replace(RECIPES["pydoc"], context=8, width=12, layers=1, heads=2)
    model = build(recipe, SimpleNamespace(description={"vocabulary": 256}))
    tokens = torch.tensor(rng.integers(0, 256, (3, 9)))
    inputs, targets, valid = practice.next_token_pairs(tokens, None)
    wanted = practice.corpus_cross_entropy(practice.token_cross_entropy(targets, model.network(inputs), valid), valid)
    torch.testing.assert_close(model({"tokens": tokens}, "train")[0], wanted)


def test_nothing_of_the_vocabularys_size_is_kept_but_the_logits():
    """Log-probabilities would double the largest tensor of a training step."""
    logits, kept = torch.tensor(LOGITS, requires_grad=True), []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        practice.token_cross_entropy(torch.tensor(TOKENS[:, 1:]), logits, None, label_smoothing=0.1)
    large = [tensor.data_ptr() for tensor in kept if tensor.numel() >= logits.numel()]
    assert large and set(large) == {logits.data_ptr()}


def test_an_empty_mask_that_cannot_be_read_gives_nan():
    """As documented: under a trace there is no value to reject."""
    assert jnp.isnan(jax.jit(theory.corpus_cross_entropy)(jnp.ones((2, 3)), jnp.zeros((2, 3), bool)))
    losses, mask = torch.ones(4, 2, 3), torch.zeros(4, 2, 3, dtype=torch.bool)
    assert torch.vmap(practice.corpus_cross_entropy)(losses, mask).isnan().all()
