"""Contracts of training a VAE (lecture 20)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, full, given, integers, normal, scalar, uniform, zeros

COUNTS = "steps are counts"
LINEAR = given(
    x=normal(4, 3),
    weight=normal(3, 2),
    decoder_mean=normal(3),
    decoder_log_var=scalar(-0.4),
    encoder_weight=normal(2, 3),
    posterior_log_var=normal(2),
)
ORTHOGONAL = [[1.2, 0.4], [0.6, -0.8], [0.0, 0.3]]  # columns at right angles: 1.2 * 0.4 - 0.6 * 0.8 = 0


def _surprise(x, weight, mean, log_var):
    """-log N(x; mean, W W^T + e^log_var I)."""
    covariance = weight @ weight.T + np.exp(log_var) * np.eye(len(mean))
    quadratic = ((x - mean) @ np.linalg.inv(covariance) * (x - mean)).sum(1)
    return 0.5 * (quadratic + np.linalg.slogdet(2 * np.pi * covariance)[1])


def _exact_posterior(weight, log_var, error=0.0):
    """The encoder of the exact posterior, where W^T W is diagonal; its log-variances are off by the error."""
    m = (weight**2).sum(0) + np.exp(log_var)
    return weight.T / m[:, None], log_var - np.log(m) + error


def _linear_with(x=(5, 3), weight=(3, 2), decoder_mean=(3,), decoder_log_var=(), encoder_weight=(2, 3), posterior_log_var=(2,)):
    """Arguments of the linear VAE by their shapes, one of which is wrong."""
    shapes = (x, weight, decoder_mean, decoder_log_var, encoder_weight, posterior_log_var)
    names = ("x", "weight", "decoder_mean", "decoder_log_var", "encoder_weight", "posterior_log_var")
    return given(**{name: zeros(*shape) for name, shape in zip(names, shapes, strict=True)})


SPEC = (
    # Warm-up.
    Agree("linear_kl_weight", "regular", given(step=integers(9, high=60), warmup_steps=37)),
    Agree("linear_kl_weight", "at the start, at the end, far beyond", given(step=[0, 1, 99, 100, 101, 10**9], warmup_steps=100)),
    Agree("linear_kl_weight", "a warm-up of one step", given(step=[0, 1, 2], warmup_steps=1)),
    Agree("linear_kl_weight", "steps as floats", given(step=[0.0, 2.5, 9.0, 11.0], warmup_steps=10), no_gradient=COUNTS),
    Anchor(
        "linear_kl_weight",
        "eight steps",
        given(step=[0, 3, 7, 8, 9, 40], warmup_steps=8),
        gives=[0.0, 0.375, 0.875, 1.0, 1.0, 1.0],
        source="by hand",
        near_misses={
            "divides by one less": [0.0, 0.42857142857142857, 1.0, 1.0, 1.0, 1.0],
            "counts from 1": [0.125, 0.5, 1.0, 1.0, 1.0, 1.0],
            "not capped": [0.0, 0.375, 0.875, 1.0, 1.125, 5.0],
            "falls instead of rising": [1.0, 0.625, 0.125, 0.0, 0.0, 0.0],
        },
    ),
    Law.at_least(
        "the weight never falls",
        given(step=np.arange(50)),
        left=lambda f, step: f.linear_kl_weight(step + 1, warmup_steps=31),
        right=lambda f, step: f.linear_kl_weight(step, warmup_steps=31),
    ),
    Anchor(
        "linear_kl_weight", "step 255 of 510", given(step=[0, 51, 255], warmup_steps=510), gives=[0.0, 0.1, 0.5], source="by hand"
    ),
    Rejects("linear_kl_weight", "no warm-up", given(step=[0, 1], warmup_steps=0), blames="warmup_steps"),
    Rejects("linear_kl_weight", "a negative step", given(step=[0, -1], warmup_steps=5), blames="step"),
    Rejects("linear_kl_weight", "a step without an axis", given(step=np.array(3), warmup_steps=5), blames="step"),
    # Cycles.
    Agree("cyclical_kl_weight", "regular", given(step=integers(20, high=200), cycle_length=37, ramp_fraction=0.3)),
    Agree("cyclical_kl_weight", "the ramp by default", given(step=integers(12, high=100), cycle_length=30)),
    Agree("cyclical_kl_weight", "all ramp", given(step=integers(12, high=100), cycle_length=16, ramp_fraction=1.0)),
    Agree("cyclical_kl_weight", "cycles of one step", given(step=[0, 1, 7], cycle_length=1)),
    Agree(
        "cyclical_kl_weight",
        "steps as floats",
        given(step=[0.0, 2.5, 9.0, 10.0, 13.0], cycle_length=10),
        frozen=("step",),
        no_gradient=COUNTS,
    ),
    Anchor(
        "cyclical_kl_weight",
        "cycles of ten",
        given(step=[0, 3, 4, 9, 10, 13, 20, 26], cycle_length=10, ramp_fraction=0.4),
        gives=[0.0, 0.75, 1.0, 1.0, 0.0, 0.75, 0.0, 1.0],
        source="by hand",
        near_misses={
            "ramp over all of the cycle": [0.0, 0.3, 0.4, 0.9, 0.0, 0.3, 0.0, 0.6],
            "multiplies by the ramp": [0.0, 0.12, 0.16, 0.36, 0.0, 0.12, 0.0, 0.24],
            "holds at 0, then rises": [0.0, 0.0, 0.0, 0.83333333333333333, 0.0, 0.0, 0.0, 0.33333333333333333],
            "one cycle only": [0.0, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            "not capped": [0.0, 0.75, 1.0, 2.25, 0.0, 0.75, 0.0, 1.5],
        },
    ),
    Anchor(
        "cyclical_kl_weight",
        "after a million cycles",
        given(step=[10_000_003, 16_777_213, 10_000_000], cycle_length=10, ramp_fraction=0.4),
        gives=[0.75, 0.75, 0.0],
        source="by hand: both counts leave 3 of 10",
        near_misses={"holds at 1": [1.0, 1.0, 1.0]},
    ),
    Law.equal(
        "a cycle repeats",
        given(step=np.arange(23)),
        left=lambda f, step: f.cyclical_kl_weight(step + 5 * 23, cycle_length=23, ramp_fraction=0.7),
        right=lambda f, step: f.cyclical_kl_weight(step, cycle_length=23, ramp_fraction=0.7),
    ),
    Law.equal(
        "within its first cycle it is a linear warm-up",
        given(step=np.arange(24)),
        left=lambda f, step: f.cyclical_kl_weight(step, cycle_length=24, ramp_fraction=0.75),
        right=lambda f, step: f.linear_kl_weight(step, warmup_steps=18),
    ),
    Anchor(
        "cyclical_kl_weight",
        "step 255 of 300",
        given(step=[30, 255], cycle_length=300, ramp_fraction=1.0),
        gives=[0.1, 0.85],
        source="by hand",
    ),
    Rejects("cyclical_kl_weight", "no ramp", given(step=[0, 1], cycle_length=5, ramp_fraction=0.0), blames="ramp_fraction"),
    Rejects(
        "cyclical_kl_weight",
        "a ramp beyond the cycle",
        given(step=[0], cycle_length=5, ramp_fraction=1.1),
        blames="ramp_fraction",
    ),
    Rejects("cyclical_kl_weight", "no cycle", given(step=[0, 1], cycle_length=0), blames="cycle_length"),
    Rejects("cyclical_kl_weight", "a negative step", given(step=[-1, 1], cycle_length=5), blames="step"),
    # The divergence, latent by latent.
    Agree("kl_per_dimension", "regular", given(mean=normal(5, 3), log_var=normal(5, 3))),
    Agree(
        "kl_per_dimension",
        "log-variances of -30, 5 and 1e-9",
        given(mean=normal(2, 3), log_var=[[-30.0, 5.0, 1e-9], [0.0, -1e-9, 5.0]]),
    ),
    Agree(
        "kl_per_dimension",
        "a hair from the prior",
        given(mean=zeros(2, 3), log_var=[[1e-9, -1e-9, 0.0], [1e-4, 0.0, -1e-4]]),
        edge="a divergence below the rounding of the terms of order 1 that libraries subtract",
    ),
    Agree("kl_per_dimension", "one latent", given(mean=normal(5, 1), log_var=normal(5, 1))),
    Anchor(
        "kl_per_dimension",
        "four latents",
        given(mean=[[1.0, 0.0], [2.0, 0.0]], log_var=[[2 * LOG_2, 0.0], [0.0, -2 * LOG_2]]),
        gives=[[1.3068528194400547, 0.0], [2.0, 0.3181471805599453]],
        source="(1 + 4 - 1 - log 4)/2 and (1/4 - 1 + log 4)/2, by hand",
        near_misses={
            "forgets the half": [[2.6137056388801094, 0.0], [4.0, 0.6362943611198906]],
            "forgets -1": [[1.8068528194400547, 0.5], [2.5, 0.8181471805599453]],
            "log_var read as log standard deviation": [[6.6137056388801094, 0.0], [2.0, 0.91754436111989061]],
            "divided by the number of latents": [[0.65342640972002735, 0.0], [1.0, 0.15907359027997265]],
        },
    ),
    Law.at_least(
        "no latent has a negative divergence",
        given(mean=zeros(6, 3), log_var=normal(6, 3, scale=1e-9)),
        left=lambda f, mean, log_var: f.kl_per_dimension(mean, log_var),
        right=0.0,
    ),
    Law.equal(
        "a collapsed latent has exactly none",
        given(mean=normal(6, 3), log_var=normal(6, 3)),
        left=lambda f, mean, log_var: f.kl_per_dimension(mean * [1, 0, 1], log_var * [1, 0, 1])[:, 1],
        right=0.0,
    ),
    Rejects("kl_per_dimension", "shapes differ", given(mean=zeros(5, 3), log_var=zeros(5, 2)), blames="log_var"),
    Rejects("kl_per_dimension", "one example without a batch", given(mean=zeros(3), log_var=zeros(3)), blames="mean"),
    # Free bits.
    Agree("free_bits_kl", "regular", given(kl_per_dimension=uniform(5, 3, high=2.0), minimum=0.5)),
    Agree("free_bits_kl", "no floor", given(kl_per_dimension=uniform(5, 3, low=0.01), minimum=0.0)),
    Agree("free_bits_kl", "all below the floor", given(kl_per_dimension=uniform(4, 3), minimum=2.0)),
    Agree("free_bits_kl", "at the floor", given(kl_per_dimension=[[0.5, 0.5], [0.25, 1.0]], minimum=0.5), no_gradient="a kink"),
    Anchor(
        "free_bits_kl",
        "three of six are free",
        given(kl_per_dimension=[[0.1, 0.5, 2.0], [0.0, 0.75, 0.25]], minimum=0.3),
        gives=[2.8, 1.35],
        source="by hand",
        near_misses={
            "floor under the sum": [2.6, 1.0],
            "floor under the mean": [0.86666666666666667, 0.33333333333333333],
            "no floor": [2.6, 1.0],
            "what exceeds the floor": [1.9, 0.45],
            "a ceiling": [0.7, 0.55],
            "drops what is below": [2.5, 0.75],
            "mean over latents": [0.93333333333333333, 0.45],
        },
    ),
    Law.at_least(
        "free bits are at least the divergence and at least the floors",
        given(kl_per_dimension=uniform(6, 3)),
        left=lambda f, kl: f.free_bits_kl(kl, minimum=0.4),
        right=lambda f, kl: np.maximum(kl.sum(1), 3 * 0.4),
    ),
    Law.equal(
        "without a floor it is the divergence",
        given(mean=normal(5, 3), log_var=normal(5, 3)),
        left=lambda f, mean, log_var: f.free_bits_kl(f.kl_per_dimension(mean, log_var), minimum=0.0),
        right=lambda f, mean, log_var: f.kl_per_dimension(mean, log_var).sum(1),
    ),
    Law.equal(
        "a latent at the floor is free",
        given(kl_per_dimension=[[0.5, 0.5], [0.25, 1.0]]),
        frozen=("kl_per_dimension",),
        left=lambda f, kl: f.gradient("free_bits_kl", kl, minimum=0.5),
        right=lambda f, kl: kl > 0.5,
    ),
    Law.equal(
        "a free latent gets no gradient, another gets all of it",
        given(kl_per_dimension=uniform(6, 3)),
        left=lambda f, kl: f.gradient("free_bits_kl", kl, minimum=0.4),
        right=lambda f, kl: kl > 0.4,
    ),
    Rejects("free_bits_kl", "a negative floor", given(kl_per_dimension=zeros(5, 3), minimum=-0.1), blames="minimum"),
    Rejects(
        "free_bits_kl", "a divergence already summed", given(kl_per_dimension=zeros(5), minimum=0.1), blames="kl_per_dimension"
    ),
    # Activity.
    Agree("latent_activity", "regular", given(mean=normal(7, 3)), smallest_batch=1),
    Agree("latent_activity", "far from the origin", given(mean=normal(7, 3, mean=1e4))),
    Agree(
        "latent_activity", "one example", given(mean=normal(1, 3)), no_gradient="the variance of one number is 0, and stays so"
    ),
    Anchor(
        "latent_activity",
        "one active, one not",
        given(mean=[[0.0, 1.0], [2.0, 1.0], [4.0, 1.0], [6.0, 1.0]]),
        gives=[5.0, 0.0],
        source="by hand",
        near_misses={
            "divides by N - 1": [6.6666666666666667, 0.0],
            "standard deviation": [2.2360679774997897, 0.0],
            "second moment": [14.0, 1.0],
        },
    ),
    Law.equal(
        "a shift of the latents changes nothing, a scale its square",
        given(mean=normal(7, 3), shift=normal(3)),
        left=lambda f, mean, shift: f.latent_activity(3 * mean + shift),
        right=lambda f, mean, shift: 9 * f.latent_activity(mean),
    ),
    Law.equal(
        "seeing the data twice changes nothing",
        given(mean=normal(7, 3)),
        left=lambda f, mean: f.latent_activity(np.concatenate([mean, mean])),
        right=lambda f, mean: f.latent_activity(mean),
    ),
    Rejects("latent_activity", "no data", given(mean=zeros(0, 3)), blames="mean"),
    Rejects("latent_activity", "one example without a batch", given(mean=zeros(3)), blames="mean"),
    # The linear VAE.
    Agree("linear_vae_negative_elbo", "regular", LINEAR),
    Agree(
        "linear_vae_negative_elbo",
        "little noise",
        given(
            x=normal(5, 3),
            weight=normal(3, 2),
            decoder_mean=normal(3),
            decoder_log_var=scalar(-4.0),
            encoder_weight=normal(2, 3),
            posterior_log_var=full(2, value=-6.0),
        ),
    ),
    Agree(
        "linear_vae_negative_elbo",
        "collapsed",
        given(
            x=normal(5, 3),
            weight=zeros(3, 2),
            decoder_mean=normal(3),
            decoder_log_var=scalar(0.3),
            encoder_weight=zeros(2, 3),
            posterior_log_var=zeros(2),
        ),
    ),
    Agree(
        "linear_vae_negative_elbo",
        "more latents than pixels",
        given(
            x=normal(5, 2),
            weight=normal(2, 3),
            decoder_mean=normal(2),
            decoder_log_var=scalar(0.3),
            encoder_weight=normal(3, 2),
            posterior_log_var=normal(3),
        ),
    ),
    Anchor(
        "linear_vae_negative_elbo",
        "surprise plus gap",
        given(
            x=[[1.0, -0.5, 2.0], [0.0, 1.0, -1.5], [0.25, 0.0, 0.5], [-1.0, 2.0, 0.0]],
            weight=[[1.0, -0.5], [0.5, 2.0], [0.0, 1.5]],
            decoder_mean=[0.5, 0.0, -0.25],
            decoder_log_var=scalar(-0.5),
            encoder_weight=[[0.5, 0.25, 0.0], [-0.25, 0.5, 0.75]],
            posterior_log_var=[-1.0, -2.0],
        ),
        gives=[14.049347560188848, 6.9465053743764456, 5.2862428039867537, 9.7339484704398499],
        source="-log marginal + KL(q || posterior) with full covariances, mpmath, 50 digits",
        near_misses={
            "forgets the spread of z": [12.945092877386055, 5.8422506915736527, 4.1819881211839609, 8.6296937876370571],
            "spread without its half": [15.153602242991641, 8.0507600571792384, 6.3904974867895466, 10.838203153242643],
            "spread by the standard deviation": [15.541317521452114, 8.4384753356397113, 6.7782127652500195, 11.225918431703116],
        },
    ),
    Law.at_least(
        "near the exact posterior the loss is just above the surprise",
        given(
            x=normal(5, 3), weight=ORTHOGONAL, decoder_mean=normal(3), decoder_log_var=scalar(-0.4), error=normal(2, scale=0.1)
        ),
        left=lambda f, x, weight, mean, log_var, error: f.linear_vae_negative_elbo(
            x, weight, mean, log_var, *_exact_posterior(weight, log_var, error)
        ),
        right=lambda f, x, weight, mean, log_var, error: _surprise(x, weight, mean, log_var),
    ),
    Law.equal(
        "with orthogonal columns and the exact posterior it is the surprise",
        given(x=normal(5, 3), weight=ORTHOGONAL, decoder_mean=normal(3), decoder_log_var=scalar(-0.4)),
        left=lambda f, x, weight, mean, log_var: f.linear_vae_negative_elbo(
            x, weight, mean, log_var, *_exact_posterior(weight, log_var)
        ),
        right=lambda f, x, weight, mean, log_var: _surprise(x, weight, mean, log_var),
    ),
    Law.equal(
        "the exact posterior's variance is stationary",
        given(x=normal(5, 3), weight=normal(3, 2), decoder_mean=normal(3), decoder_log_var=scalar(-0.4)),
        left=lambda f, x, weight, mean, log_var: f.gradient(
            "linear_vae_negative_elbo", x, weight, mean, log_var, *_exact_posterior(weight, log_var), wrt=5
        ),
        right=0.0,
    ),
    Law.equal(
        "renaming the latents changes nothing",
        LINEAR,
        left=lambda f, x, weight, mean, log_var, encoder_weight, v: f.linear_vae_negative_elbo(
            x, weight[:, ::-1].copy(), mean, log_var, encoder_weight[::-1].copy(), v[::-1].copy()
        ),
        right=lambda f, *model: f.linear_vae_negative_elbo(*model),
    ),
    Rejects("linear_vae_negative_elbo", "data of another size", _linear_with(x=(5, 4)), blames="x"),
    Rejects("linear_vae_negative_elbo", "one example without a batch", _linear_with(x=(3,)), blames="x"),
    Rejects("linear_vae_negative_elbo", "a mean of another size", _linear_with(decoder_mean=(2,)), blames="decoder_mean"),
    Rejects(
        "linear_vae_negative_elbo", "a variance for each pixel", _linear_with(decoder_log_var=(3,)), blames="decoder_log_var"
    ),
    Rejects("linear_vae_negative_elbo", "the encoder transposed", _linear_with(encoder_weight=(3, 2)), blames="encoder_weight"),
    Rejects(
        "linear_vae_negative_elbo",
        "a variance for each example",
        _linear_with(posterior_log_var=(5, 2)),
        blames="posterior_log_var",
    ),
)
