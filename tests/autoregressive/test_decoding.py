"""Decoding against transformers' warpers, SciPy's quantiles and JAX's own sampler; and filters one after the other."""

import jax
import numpy as np
import pytest
import torch
from scipy.stats import rv_discrete

from practice_torch.autoregressive import decoding as practice
from theory_jax.autoregressive import decoding as theory


def draw(*shape, seed=0, scale=2.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniforms(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tokens(*shape, size, seed=2):
    return torch.randint(size, shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "ours", "setting"),
    [
        ("TemperatureLogitsWarper", "apply_temperature", {"temperature": 0.7}),
        ("TopKLogitsWarper", "top_k_filter", {"k": 5}),
        ("TopKLogitsWarper", "top_k_filter", {"k": 50}),
        ("TopPLogitsWarper", "nucleus_filter", {"mass": 0.3}),
        ("TopPLogitsWarper", "nucleus_filter", {"mass": 0.92}),
        ("TypicalLogitsWarper", "typical_filter", {"mass": 0.2}),
        ("TypicalLogitsWarper", "typical_filter", {"mass": 0.9}),
        ("MinPLogitsWarper", "minimum_probability_filter", {"fraction": 0.1}),
    ],
)
def test_the_filters_are_transformers(name, ours, setting):
    warper = getattr(pytest.importorskip("transformers"), name)(*setting.values())
    logits = draw(200, 17)
    wanted = warper(None, logits)
    torch.testing.assert_close(getattr(practice, ours)(logits, **setting), wanted, rtol=1e-15, atol=0)
    np.testing.assert_allclose(getattr(theory, ours)(logits.numpy(), **setting), wanted, rtol=1e-15)


@pytest.mark.parametrize("penalty", [0.8, 1.3])
def test_the_penalty_is_transformers(penalty):
    processor = pytest.importorskip("transformers").RepetitionPenaltyLogitsProcessor(penalty)
    logits, said = draw(200, 17), tokens(200, 9, size=17)
    ours = practice.repetition_penalty(logits, said, penalty=penalty)
    torch.testing.assert_close(ours, processor(said, logits), rtol=1e-15, atol=0)


def test_the_inverse_cdf_is_scipys():
    logits, u = draw(50, 17), uniforms(50)
    peers = [rv_discrete(values=(np.arange(17), row)).ppf(v) for row, v in zip(logits.softmax(-1).numpy(), u, strict=True)]
    assert practice.categorical_from_uniform(logits, u).tolist() == peers
    assert theory.categorical_from_uniform(logits.numpy(), u.numpy()).tolist() == peers


def test_gumbel_draws_are_jaxs_own():
    """jax.random.categorical draws its uniforms from the key and takes the same arg max."""
    logits, key = draw(200, 17).numpy(), jax.random.key(3)
    wanted = jax.random.categorical(key, logits).tolist()
    u = np.array(jax.random.uniform(key, logits.shape, logits.dtype, minval=np.finfo(np.float64).tiny))
    assert theory.gumbel_argmax(logits, u).tolist() == wanted
    assert practice.gumbel_argmax(torch.from_numpy(logits), torch.from_numpy(u)).tolist() == wanted


@pytest.mark.parametrize("sampler", ["inverse", "gumbel"])
def test_filtered_tokens_are_never_drawn(sampler):
    """Filters compose, and the draws from what they leave have its law."""
    logits = practice.apply_temperature(draw(1, 12), temperature=1.5)
    logits = practice.nucleus_filter(practice.top_k_filter(logits, k=8), mass=0.95).expand(40_000, -1)
    left = logits[0].isfinite()
    assert 2 < int(left.sum()) < 9
    if sampler == "inverse":
        drawn = practice.categorical_from_uniform(logits, uniforms(40_000))
    else:
        drawn = practice.gumbel_argmax(logits, uniforms(40_000, 12))
    counts = drawn.bincount(minlength=12)
    assert int(counts[~left].sum()) == 0
    expected = 40_000 * logits[0].softmax(-1)[left]
    chi_squared = float(((counts[left] - expected) ** 2 / expected).sum())
    assert chi_squared < 35  # at most seven degrees of freedom: beyond this once in 90,000 seeds


def test_float32_uniforms_of_zero_and_one_give_tokens_that_are_there():
    """0, which torch.rand returns once in sixteen million draws, and 1, to which 1 - 1e-16 rounds."""
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]]).expand(2, -1)
    ends = torch.tensor([0.0, 1.0])
    assert practice.categorical_from_uniform(logits, ends).tolist() == [1, 2]
    assert practice.gumbel_argmax(logits, ends[:, None].expand(2, 4)).tolist() == [2, 2]


def test_a_large_vocabulary_of_float32_stays_in_range():
    """Fifty thousand float32 probabilities do not sum to 1 exactly."""
    logits = draw(64, 50_000, scale=1.0).float()
    drawn = practice.categorical_from_uniform(logits, torch.ones(64))
    assert bool((drawn < 50_000).all()) and bool(logits.gather(1, drawn[:, None]).isfinite().all())
    kept = practice.nucleus_filter(logits, mass=0.9).isfinite()
    mass = (logits.double().softmax(-1) * kept).sum(-1)
    torch.testing.assert_close(mass, torch.full((64,), 0.9).double(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["top_k_filter", "nucleus_filter", "typical_filter", "minimum_probability_filter"])
def test_filters_go_through_vmap_and_grad(name):
    setting = {"top_k_filter": {"k": 3}, "minimum_probability_filter": {"fraction": 0.2}}.get(name, {"mass": 0.7})

    def kept_sum(logits):
        filtered = getattr(practice, name)(logits, **setting)
        return torch.where(filtered.isfinite(), filtered, 0.0).sum()

    logits = draw(3, 2, 7)
    mapped = torch.func.vmap(torch.func.grad(kept_sum))(logits)
    by_rows = getattr(practice, name)(logits.flatten(0, 1), **setting).isfinite().view_as(logits)
    assert torch.equal(mapped, by_rows.double())
