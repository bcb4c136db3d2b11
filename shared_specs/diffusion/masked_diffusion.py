"""Contracts of masked diffusion of tokens (Austin et al. 2021, Sahoo et al. 2024)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Law,
    Rejects,
    concatenate,
    full,
    given,
    integers,
    log_of,
    log_simplex,
    normal,
    uniform,
    zeros,
)

INF = np.inf
MASK = 3  # of V = 4 tokens, in B = 5 texts of L = 3 places
TOKENS = np.array([[0, 2, 1], [1, 1, 2], [0, 0, 0], [2, 1, 0], [1, 2, 2]])
SOME = np.array([[3, 2, 1], [3, 3, 2], [3, 3, 3], [2, 1, 0], [1, 3, 3]])  # one, two, three, none and two places masked
MASKED_FIRST = np.array([[0, 2, 3], [0, 1, 0]])  # the mask is token 0
WIDE = np.array([[255, 0, 256], [256, 256, 254]])  # the mask is token 256
LATE, EARLY = uniform(5, low=0.1, high=0.4), uniform(5, low=0.5, high=0.9)
DRAWN = "tokens have no gradient"


def real(*shape):
    """Laws of the data's tokens, 0 for a mask behind them."""
    return concatenate(log_simplex(*shape), log_of(np.zeros((*shape[:-1], 1))), axis=-1)


def noise(*shape):
    """Gumbel noise, about."""
    return normal(*shape, scale=1.3)


def _masked(**wrong):
    return given(**{"tokens": np.array([[0, 1]]), "uniforms": zeros(1, 2), "alpha": [0.5], "mask_id": 2} | wrong)


def _posterior(**wrong):
    law = log_of([[[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]])
    return given(
        **{"x0_log_probs": law, "tokens_t": np.array([[0, 2]]), "alpha_s": [0.5], "alpha_t": [0.25], "mask_id": 2} | wrong
    )


def _loss(**wrong):
    right = {"logits": zeros(1, 2, 3), "tokens": np.array([[0, 1]]), "tokens_t": np.array([[0, 2]])}
    return given(**right | {"alpha": [0.5], "alpha_slope": [-1.0], "mask_id": 2} | wrong)


def _step(**wrong):
    right = {"tokens_t": np.array([[0, 2]]), "logits": zeros(1, 2, 3), "uniforms": zeros(1, 2), "gumbels": zeros(1, 2, 3)}
    return given(**right | {"alpha_s": [0.5], "alpha_t": [0.25], "mask_id": 2} | wrong)


def _rejections(function, build, cases):
    return tuple(Rejects(function, case, build(**wrong), blames=next(iter(wrong))) for case, wrong in cases)


def _law_of(logits):
    """Log-probabilities of the data's tokens, and a mask behind them."""
    law = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return np.concatenate([law, np.full_like(law[..., :1], -INF)], axis=-1)


def _gumbels(uniforms):
    return -np.log(-np.log(uniforms))


SPEC = (
    # The schedule.
    Agree("log_linear_alpha", "regular", given(time=uniform(3, 4), epsilon=0.01)),
    Agree("log_linear_alpha", "down to nothing", given(time=[0.0, 1e-6, 0.5, 1.0], epsilon=0.0)),
    Anchor("log_linear_alpha", "the ends, and a quarter", given(time=[0.0, 0.25, 1.0], epsilon=0.2), gives=[1.0, 0.8, 0.2],
           source="by hand: 1 - 0.8 t", near_misses={"the masked part": [0.0, 0.2, 0.8], "down to 0": [1.0, 0.75, 0.0],
                                                     "exponential": [1.0, 0.2**0.25, 0.2]}),
    Rejects("log_linear_alpha", "after the end", given(time=[0.5, 1.5], epsilon=0.1), blames="time"),
    Rejects("log_linear_alpha", "nothing is ever masked", given(time=[0.5], epsilon=1.0), blames="epsilon"),
    Rejects("log_linear_alpha", "less than nothing is kept", given(time=[0.5], epsilon=-0.1), blames="epsilon"),
    # Masks.
    Agree("mask_tokens", "regular", given(tokens=TOKENS, uniforms=uniform(5, 3), alpha=uniform(5), mask_id=MASK),
          no_gradient=DRAWN, frozen=("uniforms", "alpha")),
    Agree("mask_tokens", "a mask in front of the alphabet, everything and nothing", given(
        tokens=np.array([[255, 1, 7], [1, 2, 254]]), uniforms=uniform(2, 3), alpha=[1.0, 0.0], mask_id=0),
          no_gradient=DRAWN, frozen=("uniforms", "alpha")),
    Agree("mask_tokens", "bytes, and a mask behind them", given(
        tokens=integers(3, 4, high=256), uniforms=uniform(3, 4), alpha=[0.3, 0.5, 0.9], mask_id=256),
          no_gradient=DRAWN, frozen=("uniforms", "alpha")),
    Anchor("mask_tokens", "a uniform at the level is masked, at 1 it is kept", given(
               tokens=np.array([[0, 1, 2], [2, 1, 0]]), uniforms=[[0.2, 0.5, 0.7], [0.0, 0.3, 0.9]], alpha=[0.5, 1.0], mask_id=3),
           gives=[[0, 3, 3], [2, 1, 0]], source="by hand: kept where u < alpha",
           near_misses={"kept where u > alpha": [[3, 3, 2], [3, 3, 3]], "kept at the level, too": [[0, 1, 3], [2, 1, 0]]},
           frozen=("uniforms", "alpha")),
    *_rejections("mask_tokens", _masked, (
        ("the mask as data", {"tokens": np.array([[0, 2]])}), ("a negative token", {"tokens": np.array([[-1, 0]])}),
        ("no integers", {"tokens": zeros(1, 2)}), ("one axis", {"tokens": np.array([0, 1])}),
        ("a uniform for a text", {"uniforms": zeros(1, 1)}), ("a uniform beyond 1", {"uniforms": [[0.5, 1.5]]}),
        ("two levels", {"alpha": [0.5, 0.5]}), ("a level beyond 1", {"alpha": [1.5]}), ("a negative mask", {"mask_id": -1}))),
    # The law of a step back.
    Agree("posterior_log_probs", "regular", given(
        x0_log_probs=real(5, 3, 3), tokens_t=SOME, alpha_s=EARLY, alpha_t=LATE, mask_id=MASK)),
    Agree("posterior_log_probs", "from nothing to the data, and no step", given(
        x0_log_probs=real(3, 2, 4), tokens_t=np.array([[4, 4], [4, 1], [0, 4]]), alpha_s=[1.0, 0.0, 0.4],
        alpha_t=[0.0, 0.0, 0.4], mask_id=4), no_gradient="the logarithm of a probability of 0 has no slope"),
    Agree("posterior_log_probs", "the mask is 256", given(
        x0_log_probs=real(2, 3, 256), tokens_t=WIDE, alpha_s=[0.7, 0.9], alpha_t=[0.2, 0.8], mask_id=256)),
    Agree("posterior_log_probs", "the mask is 255", given(
        x0_log_probs=real(2, 3, 255), tokens_t=np.array([[255, 0, 7], [3, 255, 254]]), alpha_s=[0.7, 0.9], alpha_t=[0.2, 0.8],
        mask_id=255)),
    Anchor("posterior_log_probs", "from a quarter to a half", given(
               x0_log_probs=log_of([[[0.0, 0.75, 0.25], [0.0, 0.75, 0.25]]]), tokens_t=MASKED_FIRST[1:, :2], alpha_s=[0.5],
               alpha_t=[0.25], mask_id=0),
           gives=log_of([[[2 / 3, 1 / 4, 1 / 12], [0.0, 1.0, 0.0]]]), source="by hand: unmasked with (1/2 - 1/4)/(3/4) = 1/3",
           near_misses={"alpha_t for alpha_s in stay": log_of([[[1.0, 1 / 4, 1 / 12], [0.0, 1.0, 0.0]]]),
                        "without 1/(1 - alpha_t)": log_of([[[0.5, 3 / 16, 1 / 16], [0.0, 1.0, 0.0]]]),
                        "visible tokens masked again": log_of([[[2 / 3, 1 / 4, 1 / 12], [2 / 3, 1 / 4, 1 / 12]]]),
                        "the levels exchanged": log_of([[[1 / 3, 1 / 2, 1 / 6], [0.0, 1.0, 0.0]]])}),
    Law.equal("every row sums to one", given(x0=real(5, 3, 3), s=EARLY, t=LATE),
              left=lambda f, x0, s, t: np.exp(f.posterior_log_probs(x0, SOME, s, t, mask_id=MASK)).sum(-1), right=1.0),
    Law.equal("two steps are one step", given(x0=real(5, 3, 3), r=uniform(5, low=0.92, high=0.99), s=EARLY, t=LATE),
              left=lambda f, x0, r, s, t: (
                  lambda first, second: np.exp(first) * np.where(np.arange(4) == MASK, 0, 1)
                  + np.exp(first[..., MASK:] + second))(
                  f.posterior_log_probs(x0, np.full((5, 3), MASK), s, t, mask_id=MASK),
                  f.posterior_log_probs(x0, np.full((5, 3), MASK), r, s, mask_id=MASK)),
              right=lambda f, x0, r, s, t: np.exp(f.posterior_log_probs(x0, np.full((5, 3), MASK), r, t, mask_id=MASK))),
    *_rejections("posterior_log_probs", _posterior, (
        ("two axes", {"x0_log_probs": log_of([[0.5, 0.5, 0.0]])}), ("logits", {"x0_log_probs": zeros(1, 2, 3)}),
        ("data that are masks", {"x0_log_probs": log_of([[[0.5, 0.5, 0.0], [0.25, 0.5, 0.25]]])}),
        ("another length", {"tokens_t": np.array([[0]])}), ("no token", {"tokens_t": np.array([[0, 3]])}),
        ("no integers", {"tokens_t": zeros(1, 2)}), ("a step toward the noise", {"alpha_s": [0.125]}),
        ("more than all", {"alpha_s": [1.5]}), ("nothing is masked", {"alpha_t": [1.0]}),
        ("less than nothing", {"alpha_t": [-0.5]}), ("two levels", {"alpha_s": [0.5, 0.5]}), ("no mask", {"mask_id": 3}),
        ("a negative mask", {"mask_id": -1}))),
    # The loss.
    Agree("masked_diffusion_loss", "regular", given(
        logits=normal(5, 3, 4), tokens=TOKENS, tokens_t=SOME, alpha=LATE, alpha_slope=uniform(5, low=-2.0, high=-0.5),
        mask_id=MASK)),
    Agree("masked_diffusion_loss", "a mask in front, nothing masked, at rest", given(
        logits=normal(2, 3, 4, scale=3.0), tokens=np.array([[1, 2, 3], [3, 1, 2]]), tokens_t=np.array([[0, 0, 3], [3, 1, 2]]),
        alpha=[0.0, 0.999], alpha_slope=[0.0, -1.0], mask_id=0)),
    Agree("masked_diffusion_loss", "the mask is 256, large logits", given(
        logits=normal(2, 3, 257, scale=30.0), tokens=np.array([[255, 0, 9], [1, 255, 254]]), tokens_t=WIDE, alpha=[0.5, 0.25],
        alpha_slope=[-1.0, -1.5], mask_id=256)),
    Agree("masked_diffusion_loss", "bytes, none of them masked by 256", given(
        logits=normal(1, 3, 257), tokens=np.array([[255, 0, 9]]), tokens_t=np.array([[255, 0, 9]]), alpha=[0.5],
        alpha_slope=[-1.0], mask_id=256)),
    Anchor("masked_diffusion_loss", "a half masked, among three tokens", given(
               logits=[[[LOG_2, 0.0, 0.0, 5.0], [0.0, LOG_2, 0.0, 5.0], [7.0, 0.0, 0.0, 5.0], [1.0, 0.0, 9.0, 5.0]]],
               tokens=np.array([[0, 0, 1, 2]]), tokens_t=np.array([[3, 3, 1, 2]]), alpha=[0.5], alpha_slope=[-1.5], mask_id=3),
           gives=[9 * LOG_2], source="by hand: weight 3, costs log 2 and log 4",
           near_misses={"weight without 1/(1 - alpha)": [4.5 * LOG_2], "a mean over the masked places": [4.5 * LOG_2],
                        "the mask's logit in the softmax": [3 * (2 * np.log(4 + np.e**5) - LOG_2)],
                        "weight 1/(1 - alpha) alone": [6 * LOG_2], "weight 1/alpha squared": [18 * LOG_2]}),
    Anchor("masked_diffusion_loss", "two of three places by a network that knows nothing: 3 log 3, whatever n", given(
               logits=full(3, 3, 4, value=0.5), tokens=np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]]),
               tokens_t=np.array([[3, 1, 2], [3, 1, 3], [3, 3, 3]]), alpha=[2 / 3, 1 / 3, 0.0], alpha_slope=[-1.0, -1.0, -1.0],
               mask_id=3),
           gives=[3 * LOG_3] * 3, source="by hand: at alpha = 1 - n/L the weight is L/n",
           near_misses={"all places": [9 * LOG_3, 4.5 * LOG_3, 3 * LOG_3], "weight 1": [LOG_3, 2 * LOG_3, 3 * LOG_3]}),
    Law.equal("the mask's logit has no part", given(logits=normal(5, 3, 4), other=normal(5, 3)),
              left=lambda f, logits, other: f.masked_diffusion_loss(
                  np.concatenate([logits[..., :3], other[..., None]], -1), TOKENS, SOME, np.full(5, 0.5), np.full(5, -1.0),
                  mask_id=MASK),
              right=lambda f, logits, other: f.masked_diffusion_loss(
                  logits, TOKENS, SOME, np.full(5, 0.5), np.full(5, -1.0), mask_id=MASK)),
    *_rejections("masked_diffusion_loss", _loss, (
        ("two axes", {"logits": zeros(2, 3)}), ("the mask alone", {"logits": zeros(1, 2, 1)}),
        ("the mask as data", {"tokens": np.array([[0, 2]])}), ("no token", {"tokens": np.array([[0, 3]])}),
        ("no integers", {"tokens": zeros(1, 2)}), ("another length", {"tokens": np.array([[0]])}),
        ("another token is visible", {"tokens_t": np.array([[1, 2]])}), ("noise without integers", {"tokens_t": zeros(1, 2)}),
        ("noise of another length", {"tokens_t": np.array([[0]])}), ("nothing is masked", {"alpha": [1.0]}),
        ("a negative level", {"alpha": [-0.5]}), ("two levels", {"alpha": [0.5, 0.5]}), ("rising", {"alpha_slope": [1.0]}),
        ("two slopes", {"alpha_slope": [-1.0, -1.0]}), ("no mask", {"mask_id": 3}), ("a negative mask", {"mask_id": -1}))),
    # A step back.
    Agree("unmask_step", "regular", given(
        tokens_t=SOME, logits=normal(5, 3, 4), uniforms=uniform(5, 3), gumbels=noise(5, 3, 4), alpha_s=EARLY, alpha_t=LATE,
        mask_id=MASK), no_gradient=DRAWN, frozen=("logits", "uniforms", "gumbels", "alpha_s", "alpha_t")),
    Agree("unmask_step", "a mask in front, to the data, and no step", given(
        tokens_t=MASKED_FIRST, logits=normal(2, 3, 4), uniforms=uniform(2, 3), gumbels=noise(2, 3, 4), alpha_s=[1.0, 0.3],
        alpha_t=[0.0, 0.3], mask_id=0), no_gradient=DRAWN, frozen=("logits", "uniforms", "gumbels", "alpha_s", "alpha_t")),
    Agree("unmask_step", "the mask is 256", given(
        tokens_t=WIDE, logits=normal(2, 3, 257), uniforms=zeros(2, 3), gumbels=noise(2, 3, 257), alpha_s=[0.9, 0.8],
        alpha_t=[0.5, 0.0], mask_id=256), no_gradient=DRAWN, frozen=("logits", "uniforms", "gumbels", "alpha_s", "alpha_t")),
    Agree("unmask_step", "tokens beyond 255 are drawn", given(
        tokens_t=np.array([[0, 255, 0]]), logits=concatenate(full(1, 3, 256, value=-30.0), normal(1, 3, 9), axis=-1),
        uniforms=zeros(1, 3), gumbels=noise(1, 3, 265), alpha_s=[0.9], alpha_t=[0.5], mask_id=0), no_gradient=DRAWN,
          frozen=("logits", "uniforms", "gumbels", "alpha_s", "alpha_t")),
    Anchor("unmask_step", "with probability 1/3", given(
               tokens_t=np.array([[3, 3, 3, 1]]), logits=[[[0.0, 1.0, 0.0, 9.0], [0.0, 1.0, 0.0, 9.0], [0.0, 1.0, 0.0, 9.0],
                                                          [5.0, 0.0, 0.0, 9.0]]],
               uniforms=[[0.3, 0.32, 0.4, 0.1]], gumbels=[[[2.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [2.0, 0.0, 0.0, 0.0],
                                                           [2.0, 0.0, 0.0, 0.0]]], alpha_s=[0.5], alpha_t=[0.25], mask_id=3),
           gives=[[0, 1, 3, 1]], source="by hand: (1/2 - 1/4)/(3/4) = 1/3",
           near_misses={"visible tokens drawn again": [[0, 1, 3, 0]], "the mask's logit": [[3, 3, 3, 1]],
                        "with alpha_s - alpha_t": [[3, 3, 3, 1]], "with 1 - 1/3": [[0, 1, 0, 1]],
                        "the likeliest token": [[1, 1, 3, 1]], "the noise alone": [[0, 1, 3, 0]]},
           frozen=("logits", "uniforms", "gumbels", "alpha_s", "alpha_t")),
    Law.unbiased("a step has the law of the posterior", given(logits=[[[0.5, -1.0, 0.3, 2.0], [0.1, 0.2, -0.4, -3.0]]]),
                 samples=lambda f, rng, draws, logits: np.eye(4)[f.unmask_step(
                     np.tile([[3, 1]], (draws, 1)), np.tile(logits, (draws, 1, 1)), rng.uniform(size=(draws, 2)),
                     _gumbels(rng.uniform(size=(draws, 2, 4))), np.full(draws, 0.7), np.full(draws, 0.2), mask_id=3)],
                 expected=lambda f, logits: np.exp(f.posterior_log_probs(
                     _law_of(logits[..., :3]), np.array([[3, 1]]), np.array([0.7]), np.array([0.2]), mask_id=3))[0],
                 draws=20_000, detects=0.05),
    *_rejections("unmask_step", _step, (
        ("two axes", {"logits": zeros(2, 3)}), ("noise for fewer tokens", {"gumbels": zeros(1, 2, 2)}),
        ("a uniform for a text", {"uniforms": zeros(1, 1)}), ("a uniform beyond 1", {"uniforms": [[0.5, 1.5]]}),
        ("another length", {"tokens_t": np.array([[0]])}), ("no token", {"tokens_t": np.array([[0, 3]])}),
        ("no integers", {"tokens_t": zeros(1, 2)}), ("a step toward the noise", {"alpha_s": [0.125]}),
        ("more than all", {"alpha_s": [1.5]}), ("nothing is masked", {"alpha_t": [1.0]}),
        ("less than nothing", {"alpha_t": [-0.5]}), ("two levels", {"alpha_s": [0.5, 0.5]}), ("no mask", {"mask_id": 3}),
        ("a negative mask", {"mask_id": -1}))),
)  # fmt: skip
