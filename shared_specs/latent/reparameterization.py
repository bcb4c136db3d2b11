"""Contracts of gradients through randomness (lecture 19)."""

import numpy as np

from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, full, given, log_of, log_simplex, normal, uniform, zeros

LOG_4 = 2 * LOG_2
UNIFORMS, LOGITS = [[0.5, 0.1, 0.9], [0.25, 0.75, 0.01]], [[0.5, -1.0, 0.0], [0.0, 2.0, 1.0]]
ENDS = [[1e-12, 0.999999, 0.3], [0.5, 1e-12, 0.999999]]
EDGE_LOG_VAR = [[-8.0, 8.0, 0.0], [8.0, -8.0, 1e-9]]
SIMPLEX = log_of([[0.2, 0.3, 0.5], [0.6, 0.15, 0.25]])
GRID = np.linspace(-80.0, 80.0, 3201)
HALVES = full(5, 3, value=0.5)


def _concrete_log_mass(f, logits, temperature):
    """log of the density of K = 2 times dy/dt, on a grid of logits t of y_1 with steps of 1/20."""
    log_y = -np.logaddexp(0.0, np.stack([-GRID, GRID], axis=1))
    density = f.concrete_log_density(log_y, np.broadcast_to(logits, log_y.shape), temperature=temperature)
    return density + log_y.sum(axis=1)


def _logistic_log_density(t, center, scale):
    return np.log(scale) - np.logaddexp(0.0, scale * t - center) - np.logaddexp(0.0, center - scale * t)


def _estimates_of_all_coins(f, probability, values):
    """Leave-one-out estimates of d E f(b) / d logit, and their probabilities, for all 2^3 triples of draws."""
    draws = np.array([[(i >> s) & 1 for s in range(3)] for i in range(8)])
    advantage = f.leave_one_out_advantage(values[draws])
    return (advantage * (draws - probability)).mean(axis=1), np.where(draws == 1, probability, 1 - probability).prod(axis=1)


def _score_moments(f, rng, draws, mean, log_var):
    """Both scores of `draws` draws z of a Gaussian, and both times z: [draws, 4]."""
    mean, log_var = (np.tile(a, (draws, 1)) for a in (mean, log_var))
    z = f.reparameterize(rng.standard_normal((draws, 1)), mean, log_var)
    score = np.concatenate(f.gaussian_parameter_score(z, mean, log_var), axis=1)
    return np.concatenate([score, z * score], axis=1)


SPEC = (
    # The pathwise draw.
    Agree("reparameterize", "regular", given(noise=normal(5, 3), mean=normal(5, 3), log_var=normal(5, 3))),
    Agree("reparameterize", "log-variances of -8 and 8", given(noise=normal(2, 3), mean=normal(2, 3), log_var=EDGE_LOG_VAR)),
    Agree("reparameterize", "no noise", given(noise=zeros(4, 2), mean=normal(4, 2), log_var=normal(4, 2))),
    Anchor(
        "reparameterize",
        "standard deviation 2",
        given(noise=[[2.0, -1.0], [0.5, 3.0]], mean=[[1.0, 0.5], [-1.0, 0.0]], log_var=[[LOG_4, 0.0], [LOG_4, LOG_4]]),
        gives=[[5.0, -0.5], [0.0, 6.0]],
        source="by hand",
        near_misses={
            "variance as standard deviation": [[9.0, -0.5], [1.0, 12.0]],
            "log-variance as standard deviation": [[3.7725887222397811, 0.5], [-0.30685281944005469, 4.1588830833596718]],
            "noise subtracted": [[-3.0, 1.5], [-2.0, -6.0]],
            "mean scaled too": [[6.0, -0.5], [-1.0, 6.0]],
        },
    ),
    Law.equal(
        "without noise the draw is the mean",
        given(mean=normal(5, 3), log_var=normal(5, 3, scale=4.0)),
        left=lambda f, mean, log_var: f.reparameterize(np.zeros_like(mean), mean, log_var),
        right=lambda f, mean, log_var: mean,
    ),
    Law.inverse(
        "standardizing the draw gives the noise back",
        given(noise=normal(5, 3), mean=normal(5, 3), log_var=normal(5, 3)),
        round_trip=lambda f, noise, mean, log_var: (f.reparameterize(noise, mean, log_var) - mean) * np.exp(-log_var / 2),
        start=lambda f, noise, mean, log_var: noise,
    ),
    Law.log_determinant(
        "the draw stretches volume by half the sum of the log-variances",
        given(noise=normal(2, 3), mean=normal(2, 3), log_var=normal(2, 3)),
        log_determinant=lambda f, noise, mean, log_var: log_var.sum() / 2,
        jacobian=lambda f, *arguments: f.jacobian("reparameterize", *arguments, wrt=0).reshape(6, 6),
    ),
    Rejects(
        "reparameterize",
        "shapes of noise and mean differ",
        given(noise=zeros(5, 3), mean=zeros(5, 2), log_var=zeros(5, 3)),
        blames="mean",
    ),
    Rejects(
        "reparameterize", "one variance for all", given(noise=zeros(5, 3), mean=zeros(5, 3), log_var=zeros(3)), blames="log_var"
    ),
    # The score.
    Agree("gaussian_parameter_score", "regular", given(z=normal(5, 3), mean=normal(5, 3), log_var=normal(5, 3))),
    Agree(
        "gaussian_parameter_score", "log-variances of -8 and 8", given(z=normal(2, 3), mean=normal(2, 3), log_var=EDGE_LOG_VAR)
    ),
    Agree(
        "gaussian_parameter_score",
        "at the mean",
        given(z=full(2, 3, value=0.7), mean=full(2, 3, value=0.7), log_var=normal(2, 3)),
    ),
    Anchor(
        "gaussian_parameter_score",
        "1.5 standard deviations away",
        given(z=[[4.0, -1.0]] * 3, mean=[[1.0, 1.0]] * 3, log_var=[[LOG_4, 0.0]] * 3),
        gives=([[0.75, -2.0]] * 3, [[0.625, 1.5]] * 3),
        source="by hand",
        near_misses={
            "log-variance read as log standard deviation": ([[0.1875, -2.0]] * 3, [[-0.21875, 1.5]] * 3),
            "gradient in log standard deviation": ([[0.75, -2.0]] * 3, [[1.25, 3.0]] * 3),
            "gradient in the variance": ([[0.75, -2.0]] * 3, [[0.15625, 1.5]] * 3),
            "forgets -1": ([[0.75, -2.0]] * 3, [[1.125, 2.0]] * 3),
            "sign": ([[-0.75, 2.0]] * 3, [[0.625, 1.5]] * 3),
            "divides by the standard deviation once": ([[1.5, -2.0]] * 3, [[0.625, 1.5]] * 3),
        },
    ),
    Law.equal(
        "at a reparameterized draw the score is a function of the noise",
        given(noise=normal(6, 3), mean=normal(6, 3), log_var=normal(6, 3)),
        left=lambda f, noise, mean, log_var: np.stack(
            f.gaussian_parameter_score(f.reparameterize(noise, mean, log_var), mean, log_var)
        ),
        right=lambda f, noise, mean, log_var: np.stack([noise * np.exp(-log_var / 2), (noise**2 - 1) / 2]),
    ),
    Law.unbiased(
        "the score averages to zero, and z times the score to the gradients of the mean",
        given(mean=[0.7], log_var=[-0.4]),
        samples=_score_moments,
        expected=lambda f, mean, log_var: np.array([0.0, 0.0, 1.0, 0.0]),
        draws=40_000,
        detects=0.1,
    ),
    Rejects(
        "gaussian_parameter_score", "shapes differ", given(z=zeros(5, 3), mean=zeros(5, 3), log_var=zeros(5, 2)), blames="log_var"
    ),
    # The leave-one-out baseline.
    Agree("leave_one_out_advantage", "regular", given(values=normal(5, 3))),
    Agree("leave_one_out_advantage", "two samples", given(values=normal(4, 2))),
    Agree("leave_one_out_advantage", "an offset of 1000", given(values=normal(4, 3, mean=1000.0))),
    Anchor(
        "leave_one_out_advantage",
        "three samples",
        given(values=[[1.0, 2.0, 6.0], [4.0, 4.0, 1.0]]),
        gives=[[-3.0, -1.5, 4.5], [1.5, 1.5, -3.0]],
        source="by hand",
        near_misses={
            "the baseline includes its own sample": [[-2.0, -1.0, 3.0], [1.0, 1.0, -2.0]],
            "sum of the others": [[-7.0, -5.0, 3.0], [-1.0, -1.0, -7.0]],
            "baseline over the batch": [[-3.0, -2.0, 5.0], [3.0, 2.0, -5.0]],
            "the baseline alone": [[4.0, 3.5, 1.5], [2.5, 2.5, 4.0]],
        },
    ),
    Law.equal(
        "the advantages of each row sum to zero",
        given(values=normal(6, 4, scale=3.0)),
        left=lambda f, values: f.leave_one_out_advantage(values).sum(axis=1),
        right=0.0,
    ),
    Law.equal(
        "an offset changes no advantage",
        given(values=normal(6, 4), offset=normal(6, scale=5.0)),
        left=lambda f, values, offset: f.leave_one_out_advantage(values + offset[:, None]),
        right=lambda f, values, offset: f.leave_one_out_advantage(values),
    ),
    Law.equal(
        "over all triples of coins the estimate averages to the gradient",
        given(values=[11.3, 8.0]),
        left=lambda f, values: np.dot(*_estimates_of_all_coins(f, 0.6, values)),
        right=lambda f, values: 0.6 * 0.4 * (values[1] - values[0]),
    ),
    Rejects("leave_one_out_advantage", "one sample", given(values=zeros(5, 1)), blames="values"),
    Rejects("leave_one_out_advantage", "no batch", given(values=zeros(5)), blames="values"),
    # Gumbel noise.
    Agree("gumbel_from_uniform", "regular", given(uniforms=uniform(5, 3))),
    Agree("gumbel_from_uniform", "near both ends", given(uniforms=ENDS), no_gradient="a finite difference would leave (0, 1)"),
    Law.equal(
        "the slope near both ends is finite and right",
        given(uniforms=ENDS),
        left=lambda f, uniforms: f.gradient("gumbel_from_uniform", uniforms),
        right=lambda f, uniforms: -1 / (uniforms * np.log(uniforms)),
    ),
    Anchor(
        "gumbel_from_uniform",
        "two rows of three",
        given(uniforms=UNIFORMS),
        gives=[
            [0.36651292058166433, -0.83403244524795582, 2.2503673273124454],
            [-0.32663425997828098, 1.2458993237072382, -1.5271796258079011],
        ],
        source="mpmath, 40 digits",
        near_misses={
            "sign": [
                [-0.36651292058166433, 0.83403244524795582, -2.2503673273124454],
                [0.32663425997828098, -1.2458993237072382, 1.5271796258079011],
            ],
            "of 1 - u": [
                [0.36651292058166433, 2.2503673273124454, -0.83403244524795582],
                [1.2458993237072382, -0.32663425997828098, 4.6001492267765800],
            ],
            "exponential noise": [
                [0.69314718055994531, 2.3025850929940457, 0.10536051565782630],
                [1.3862943611198906, 0.28768207245178093, 4.6051701859880914],
            ],
        },
    ),
    Law.inverse(
        "the distribution function gives the uniform back",
        given(uniforms=uniform(6, 4)),
        round_trip=lambda f, uniforms: np.exp(-np.exp(-f.gumbel_from_uniform(uniforms))),
        start=lambda f, uniforms: uniforms,
    ),
    Rejects("gumbel_from_uniform", "a uniform of 0", given(uniforms=[[0.5, 0.0]]), blames="uniforms"),
    Rejects("gumbel_from_uniform", "a uniform of 1", given(uniforms=[[1.0, 0.5]]), blames="uniforms"),
    Rejects("gumbel_from_uniform", "a negative uniform", given(uniforms=[[0.5, -0.1]]), blames="uniforms"),
    # The relaxed choice.
    *(
        Agree(
            "gumbel_softmax",
            f"temperature {t:g}",
            given(uniforms=uniform(5, 3), logits=normal(5, 3), temperature=t),
            differentiate=("logits",),
        )
        for t in (0.1, 1.0, 20.0)
    ),
    Agree(
        "gumbel_softmax",
        "through the noise, with slopes up to 6 here",
        given(uniforms=uniform(5, 3, low=0.2, high=0.8), logits=normal(5, 3), temperature=0.7),
        differentiate=("uniforms",),
    ),
    Agree(
        "gumbel_softmax",
        "uniforms near both ends",
        given(uniforms=ENDS, logits=normal(2, 3), temperature=0.7),
        differentiate=("logits",),
    ),
    Agree(
        "gumbel_softmax",
        "logits of 300",
        given(uniforms=uniform(2, 3), logits=[[300.0, -300.0, 0.0], [0.0, 301.0, 300.0]], temperature=0.7),
        differentiate=("logits",),
    ),
    Anchor(
        "gumbel_softmax",
        "temperature 1/2",
        given(uniforms=UNIFORMS, logits=LOGITS, temperature=0.5),
        gives=[
            [0.059078528621367301, 0.00026654207200279123, 0.94065492930662991],
            [0.00078770793184663169, 0.99868485126126284, 0.00052744080689052818],
        ],
        source="mpmath, 40 digits",
        near_misses={
            "multiplied by the temperature": [
                [0.30705635965264518, 0.079579667734692123, 0.61336397261266273],
                [0.12703695828053703, 0.75804658841995596, 0.11491645329950704],
            ],
            "noise not divided": [
                [0.29110406693519573, 0.0043628933765820287, 0.70453303968822223],
                [0.0037548225741735595, 0.98789322222101629, 0.0083519552048101672],
            ],
            "noise subtracted": [
                [0.64188543773638980, 0.35265864351446431, 0.0054559187491459116],
                [0.011779815279768974, 0.027696895466621064, 0.96052328925360999],
            ],
            "no noise": [
                [0.70538451269824119, 0.035119026959339723, 0.25949646034241913],
                [0.015876239976466766, 0.86681333219733486, 0.11731042782619838],
            ],
        },
    ),
    Law.normalized(
        "a relaxed draw sums to one",
        given(uniforms=uniform(6, 4), logits=normal(6, 4, scale=3.0)),
        total=lambda f, *pair: f.gumbel_softmax(*pair, temperature=0.4).sum(axis=1),
    ),
    Law.equal(
        "a shift of the logits changes nothing",
        given(uniforms=uniform(6, 4), logits=normal(6, 4), shift=normal(6)),
        left=lambda f, uniforms, logits, shift: f.gumbel_softmax(uniforms, logits + shift[:, None], temperature=0.4),
        right=lambda f, uniforms, logits, shift: f.gumbel_softmax(uniforms, logits, temperature=0.4),
    ),
    Law.unbiased(
        "the largest entry is drawn with the probabilities of softmax",
        given(logits=[0.5, -1.0, 0.0, 1.2]),
        samples=lambda f, rng, draws, logits: np.eye(4)[
            f.gumbel_softmax(rng.uniform(1e-6, 1 - 1e-6, (draws, 4)), np.tile(logits, (draws, 1)), temperature=0.5).argmax(axis=1)
        ],
        expected=lambda f, logits: np.exp(logits) / np.exp(logits).sum(),
        draws=40_000,
        detects=0.03,
    ),
    Rejects("gumbel_softmax", "shapes differ", given(uniforms=HALVES, logits=zeros(5, 2), temperature=1.0), blames="logits"),
    Rejects("gumbel_softmax", "temperature 0", given(uniforms=HALVES, logits=zeros(5, 3), temperature=0.0), blames="temperature"),
    Rejects(
        "gumbel_softmax",
        "a uniform of 1",
        given(uniforms=full(5, 3, value=1.0), logits=zeros(5, 3), temperature=1.0),
        blames="uniforms",
    ),
    # The density of the relaxed choice.
    *(
        Agree("concrete_log_density", f"temperature {t:g}", given(log_y=log_simplex(5, 3), logits=normal(5, 3), temperature=t))
        for t in (0.1, 1.0, 20.0)
    ),
    Agree(
        "concrete_log_density",
        "near a corner",
        given(log_y=log_of([[1e-12, 0.999, 0.001 - 1e-12], [0.5, 1e-300, 0.5]]), logits=normal(2, 3), temperature=0.7),
        edge="y = 1e-300 is 0 in float32",
    ),
    Agree("concrete_log_density", "one category", given(log_y=zeros(4, 1), logits=normal(4, 1), temperature=0.5)),
    Anchor(
        "concrete_log_density",
        "temperature 0.7",
        given(log_y=SIMPLEX, logits=LOGITS, temperature=0.7),
        gives=[-0.62989160397312631, -1.3607415949994360],
        source="mpmath, 40 digits",
        near_misses={
            "exponent tau instead of tau + 1": [-4.1364495012931078, -5.1549815647711990],
            "forgets Gamma(K)": [-1.3230387845330716, -2.0538887755593814],
            "forgets the powers of tau": [0.083458283904338461, -0.64739170712197120],
            "tau to the K": [-0.98656654791185866, -1.7174165389381684],
            "the normalizer once": [3.4173332774265907, 5.8330896291965059],
        },
    ),
    *(
        Law.normalized(
            f"the density integrates to one at temperature {t:g}",
            given(logits=[0.8, -0.3]),
            total=lambda f, logits, t=t: np.exp(_concrete_log_mass(f, logits, t)).sum() / 20,
        )
        for t in (0.5, 1.0, 2.0)
    ),
    Law.equal(
        "the density is that of the draw: for K = 2 a logistic variable over the temperature",
        given(logits=[0.8, -0.3]),
        left=lambda f, logits: _concrete_log_mass(f, logits, 0.7),
        right=lambda f, logits: _logistic_log_density(GRID, logits[0] - logits[1], 0.7),
    ),
    Law.equal(
        "the density does not see a shift of the logits",
        given(log_y=log_simplex(6, 4), logits=normal(6, 4), shift=normal(6)),
        left=lambda f, log_y, logits, shift: f.concrete_log_density(log_y, logits + shift[:, None], temperature=0.4),
        right=lambda f, log_y, logits, shift: f.concrete_log_density(log_y, logits, temperature=0.4),
    ),
    Rejects(
        "concrete_log_density",
        "y off the simplex",
        given(log_y=log_of([[0.5, 0.3, 0.1]]), logits=zeros(1, 3), temperature=1.0),
        blames="log_y",
    ),
    Rejects(
        "concrete_log_density",
        "y on the edge",
        given(log_y=log_of([[0.5, 0.5, 0.0]]), logits=zeros(1, 3), temperature=1.0),
        blames="log_y",
    ),
    Rejects("concrete_log_density", "temperature 0", given(log_y=SIMPLEX, logits=LOGITS, temperature=0.0), blames="temperature"),
    Rejects("concrete_log_density", "shapes differ", given(log_y=SIMPLEX, logits=zeros(2, 2), temperature=1.0), blames="logits"),
)
