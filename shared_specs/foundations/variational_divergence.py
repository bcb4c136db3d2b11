"""Contracts of variational bounds on f-divergences (lecture 3)."""

import numpy as np

from shared_specs.foundations._cases import name_of, rejects_divergences
from shared_specs.rows import LOG_2, Agree, Anchor, Law, Rejects, full, given, log_of, log_simplex, normal, uniform, zeros

# divergence, alpha; f and f' as functions of r = log u; critics inside the domain of f* (low, high); f'(2) and f'(1/2), by hand
GENERATORS = (
    ("total_variation", None, lambda r: abs(np.expm1(r)) / 2, lambda r: np.sign(r) / 2, -0.45, 0.45, None),
    ("kl", None, lambda r: np.exp(r) * r, lambda r: 1 + r, -2.0, 3.0, [1 + LOG_2, 1 - LOG_2]),
    ("reverse_kl", None, lambda r: -r, lambda r: -np.exp(-r), -3.0, -0.2, [-0.5, -2.0]),
    ("pearson_chi_squared", None, lambda r: np.expm1(r) ** 2, lambda r: 2 * np.expm1(r), -3.0, 3.0, [2.0, -1.0]),
    ("neyman_chi_squared", None, lambda r: np.expm1(r) * -np.expm1(-r), lambda r: -np.expm1(-2 * r), -3.0, 0.9, [0.75, -3.0]),
    (
        "squared_hellinger",
        None,
        lambda r: np.expm1(r / 2) ** 2,
        lambda r: -np.expm1(-r / 2),
        -3.0,
        0.8,
        [0.29289321881345248, -0.41421356237309505],
    ),
    ("jeffreys", None, lambda r: np.expm1(r) * r, lambda r: r - np.expm1(-r), -4.0, 4.0, [LOG_2 + 0.5, -LOG_2 - 1]),
    (
        "jensen_shannon",
        None,
        lambda r: (np.exp(r) * r - (np.exp(r) + 1) * (np.logaddexp(0, r) - LOG_2)) / 2,
        lambda r: -np.log1p(np.expm1(-r) / 2) / 2,
        -2.0,
        0.3,
        [0.14384103622589046, -0.20273255405408219],
    ),
    (
        "gan",
        None,
        lambda r: np.exp(r) * r - (np.exp(r) + 1) * np.logaddexp(0, r),
        lambda r: -np.logaddexp(0, -r),
        -3.0,
        -0.1,
        [-0.40546510810816438, -1.0986122886681098],
    ),
    ("alpha", -1.0, lambda r: np.expm1(r) * -np.expm1(-r) / 2, lambda r: -np.expm1(-2 * r) / 2, -3.0, 0.4, [0.375, -1.5]),
    (
        "alpha",
        0.5,
        lambda r: 2 * np.expm1(r / 2) ** 2,
        lambda r: -2 * np.expm1(-r / 2),
        -3.0,
        1.7,
        [0.58578643762690495, -0.82842712474619010],
    ),
    ("alpha", 3.0, lambda r: np.expm1(r) ** 2 * (np.exp(r) + 2) / 6, lambda r: np.expm1(2 * r) / 2, -1.0, 3.0, [1.5, -0.375]),
)
P_ZERO, Q_ZERO = log_of([[0.0, 0.4, 0.6], [0.5, 0.5, 0.0]]), log_of([[0.3, 0.7, 0.0], [0.2, 0.2, 0.6]])
HALF, SKEW = log_of([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]]), log_of([[0.25, 0.75], [0.5, 0.5], [0.2, 0.8]])


def _rows_of(divergence, alpha, generator, slope, low, high, slopes):
    name, row = name_of(divergence, alpha), {"divergence": divergence, "alpha": alpha}
    pair = {"log_probs_p": log_simplex(5, 3), "log_probs_q": log_simplex(5, 3)}
    critic = uniform(5, 3, low=low, high=high)

    def divergence_of(log_p, log_q):
        return np.sum(np.exp(log_q) * generator(log_p - log_q), axis=-1)

    rows = (
        Agree(
            "variational_lower_bound",
            name,
            given(critic_p=uniform(7, low=low, high=high), critic_q=uniform(4, low=low, high=high), **row),
            smallest_batch=1,
        ),
        Agree("exact_variational_bound", name, given(**pair, critic=critic, **row)),
        Agree("variational_gap", name, given(**pair, critic=critic, **row)),
        Law.equal(
            f"the best critic reaches the divergence, {name}",
            given(**pair),
            left=lambda f, log_p, log_q: f.exact_variational_bound(log_p, log_q, slope(log_p - log_q), **row),
            right=lambda f, log_p, log_q: divergence_of(log_p, log_q),
        ),
        Law.at_least(
            f"no critic exceeds the divergence, {name}",
            given(**pair, critic=critic),
            left=lambda f, log_p, log_q, critic: divergence_of(log_p, log_q),
            right=lambda f, log_p, log_q, critic: f.exact_variational_bound(log_p, log_q, critic, **row),
        ),
        Law.equal(
            f"gap = divergence - bound, {name}",
            given(**pair, critic=critic),
            left=lambda f, log_p, log_q, critic: f.variational_gap(log_p, log_q, critic, **row),
            right=lambda f, log_p, log_q, critic: (
                divergence_of(log_p, log_q) - f.exact_variational_bound(log_p, log_q, critic, **row)
            ),
        ),
        Law.equal(
            f"the best critic leaves no gap, {name}",
            given(log_p=log_simplex(5, 3, scale=0.5), log_q=log_simplex(5, 3, scale=0.5)),
            left=lambda f, log_p, log_q: f.variational_gap(log_p, log_q, slope(log_p - log_q), **row),
            right=0.0,
        ),
    )
    if slopes is None:
        return rows
    low, high = min(slopes), max(slopes)
    return (
        *rows,
        Agree("log_ratio_from_critic", name, given(critic=uniform(9, low=low, high=high), **row)),
        Anchor(
            "log_ratio_from_critic",
            name,
            given(critic=slopes, **row),
            gives=[LOG_2, -LOG_2],
            source="T = f'(2) and f'(1/2), by hand",
            near_misses={
                "the ratio, not its logarithm": [2.0, 0.5],
                "log q/p": [-LOG_2, LOG_2],
                "bits": [1.0, -1.0],
                "the critic itself": slopes,
            },
        ),
        Law.inverse(
            f"the critic is the slope at its ratio, {name}",
            given(critic=uniform(9, low=low, high=high)),
            round_trip=lambda f, critic: slope(f.log_ratio_from_critic(critic, **row)),
            start=lambda f, critic: critic,
        ),
    )


def _refuses_games(function):
    good = {"log_probs_p": log_simplex(5, 3), "log_probs_q": log_simplex(5, 3), "critic": zeros(5, 3)}
    return (
        *rejects_divergences(function, good),
        Rejects(
            function,
            "q has another shape",
            given(**good | {"log_probs_q": log_simplex(5, 2)}, divergence="kl"),
            blames="log_probs_q",
        ),
        Rejects(
            function, "the critic has another shape", given(**good | {"critic": zeros(5, 2)}, divergence="kl"), blames="critic"
        ),
        Rejects(
            function, "p does not sum to one", given(**good | {"log_probs_p": zeros(5, 3)}, divergence="kl"), blames="log_probs_p"
        ),
        Rejects(
            function, "q does not sum to one", given(**good | {"log_probs_q": zeros(5, 3)}, divergence="kl"), blames="log_probs_q"
        ),
    )


def _refuses_samples(function, **row):
    return (
        Rejects(function, "no sample of p", given(critic_p=np.zeros(0), critic_q=zeros(3), **row), blames="critic_p"),
        Rejects(function, "no sample of q", given(critic_p=zeros(3), critic_q=np.zeros(0), **row), blames="critic_q"),
        Rejects(function, "two axes", given(critic_p=zeros(3), critic_q=zeros(3, 2), **row), blames="critic_q"),
    )


SPEC = (
    *(row for generator in GENERATORS for row in _rows_of(*generator)),
    # The bound from samples.
    Agree("variational_lower_bound", "single samples", given(critic_p=[0.7], critic_q=[-1.3], divergence="gan")),
    Anchor(
        "variational_lower_bound",
        "kl (NWJ)",
        given(critic_p=[1.0, 2.0], critic_q=[0.0, 1.0, 2.0], divergence="kl"),
        gives=0.13794624345650415,
        source="3/2 - (1/e + 1 + e) / 3",
        near_misses={
            "e^T for e^(T-1)": -2.2024459757965642,
            "f* of the p samples": -0.8591409142295226,
            "sign": -0.13794624345650415,
            "log of the mean exponential": 0.19100632422372939,
        },
    ),
    Anchor(
        "variational_lower_bound",
        "pearson on the flat part",
        given(critic_p=[1.0, 2.0, 3.0], critic_q=[-4.0, 2.0], divergence="pearson_chi_squared"),
        gives=1.0,
        source="2 - (-1 + 3) / 2, by hand",
        near_misses={"no flat part": 0.5, "f* of the p samples": -4.0},
    ),
    Anchor(
        "variational_lower_bound",
        "a critic outside the domain bounds nothing",
        given(critic_p=[-1.0, -2.0], critic_q=[-1.0, 0.5, -2.0], divergence="reverse_kl"),
        gives=-np.inf,
        source="f*(1/2) = +inf",
        near_misses={"clipped into the domain": -5.3, "NaN": np.nan, "that sample left out": -0.15342640972002735},
    ),
    Law.equal(
        "shifting the critic of total variation changes nothing inside the domain",
        given(critic_p=uniform(7, low=-0.2, high=0.2), critic_q=uniform(4, low=-0.2, high=0.2)),
        left=lambda f, *critics: f.variational_lower_bound(*(critic + 0.25 for critic in critics), divergence="total_variation"),
        right=lambda f, *critics: f.variational_lower_bound(*critics, divergence="total_variation"),
    ),
    Law.unbiased(
        "the bound from samples is unbiased",
        given(log_p=log_of([0.2, 0.5, 0.3]), log_q=log_of([0.6, 0.1, 0.3]), critic=np.array([-0.4, 1.6, 0.7])),
        samples=lambda f, rng, draws, log_p, log_q, critic: np.array(
            [
                f.variational_lower_bound(
                    critic[rng.choice(3, 2, p=np.exp(log_p))], critic[rng.choice(3, 3, p=np.exp(log_q))], divergence="kl"
                )
                for _ in range(draws)
            ]
        ),
        expected=lambda f, *game: f.exact_variational_bound(*(array[None] for array in game), divergence="kl")[0],
        draws=1000,
        detects=0.2,
    ),
    *_refuses_samples("variational_lower_bound", divergence="kl"),
    *rejects_divergences("variational_lower_bound", {"critic_p": zeros(4), "critic_q": zeros(3)}),
    # The bound over a finite space, and its gap.
    Agree(
        "exact_variational_bound",
        "p and q have zeros",
        given(log_probs_p=P_ZERO, log_probs_q=Q_ZERO, critic=uniform(2, 3, low=-1.0, high=0.3), divergence="jensen_shannon"),
    ),
    Anchor(
        "exact_variational_bound",
        "kl",
        given(log_probs_p=HALF, log_probs_q=SKEW, critic=[[1.0, 0.0], [2.0, -1.0], [1.0, 1.0]], divergence="kl"),
        gives=[-0.025909580878581741, -0.92680855584782896, 0.0],
        source="sum p T - sum q e^(T-1), by hand",
        near_misses={
            "e^T for e^(T-1)": [-0.92957045711476124, -3.3784677700510463, -1.7182818284590453],
            "p and q swapped": [-0.43393972058572116, -0.92680855584782896, 0.0],
            "f* under p": [-0.18393972058572116, -0.92680855584782896, 0.0],
        },
    ),
    Anchor(
        "exact_variational_bound",
        "outside the domain where q has no mass",
        given(log_probs_p=P_ZERO, log_probs_q=Q_ZERO, critic=[[-1.0, -2.0, 1.0], [-1.0, -1.0, -0.5]], divergence="reverse_kl"),
        gives=[-np.inf, -0.41588830833596719],
        source="f*(1) = +inf; row 2: -1 + 0.2 + 0.2 + 0.6 (1 - log 2)",
        near_misses={"0 times inf": [np.nan, -0.41588830833596719], "q = 0 hides it": [1.2852030263919617, -0.41588830833596719]},
    ),
    *_refuses_games("exact_variational_bound"),
    Agree(
        "variational_gap",
        "p and q have zeros, the divergence is finite",
        given(log_probs_p=P_ZERO, log_probs_q=Q_ZERO, critic=uniform(2, 3, low=-1.0, high=0.3), divergence="jensen_shannon"),
    ),
    Agree(
        "variational_gap",
        "q = 0 < p and the divergence is infinite",
        given(log_probs_p=P_ZERO, log_probs_q=Q_ZERO, critic=uniform(2, 3, low=-1.0, high=0.3), divergence="kl"),
        no_gradient="the value is infinite in a row",
    ),
    Anchor(
        "variational_gap",
        "kl with the critic 1",
        given(log_probs_p=HALF, log_probs_q=SKEW, critic=full(3, 2, value=1.0), divergence="kl"),
        gives=[0.14384103622589045, 0.0, 1.1457255029306631],
        source="the critic 1 is worth 0: the gap is KL(p || q), by hand",
        near_misses={
            "sign": [-0.14384103622589045, 0.0, -1.1457255029306631],
            "p and q swapped": [0.13081203594113694, 0.0, 1.3627377539886138],
        },
    ),
    *_refuses_games("variational_gap"),
    # Donsker and Varadhan.
    Agree("donsker_varadhan_bound", "regular", given(critic_p=normal(7), critic_q=normal(4, scale=2.0)), smallest_batch=1),
    Agree("donsker_varadhan_bound", "single samples", given(critic_p=[0.7], critic_q=[-1.3])),
    Agree(
        "donsker_varadhan_bound", "critics of 300", given(critic_p=[300.0, -300.0, 299.0], critic_q=[300.0, -300.0, 298.5, 0.0])
    ),
    Anchor(
        "donsker_varadhan_bound",
        "by hand",
        given(critic_p=[1.0, 2.0], critic_q=[0.0, 1.0986122886681098, 1.6094379124341003]),
        gives=0.40138771133189031,
        source="3/2 - log((1 + 3 + 5) / 3)",
        near_misses={
            "mean of the logs": 0.59731659963259664,
            "sum for mean": -0.69722457733621938,
            "sign": -0.40138771133189031,
            "no logarithm": -1.5,
            "NWJ": 0.39636167648567303,
        },
    ),
    Law.equal(
        "a shift of the critic changes nothing",
        given(critic_p=normal(7), critic_q=normal(4), shift=np.array(250.0)),
        left=lambda f, critic_p, critic_q, shift: f.donsker_varadhan_bound(critic_p + shift, critic_q + shift),
        right=lambda f, critic_p, critic_q, shift: f.donsker_varadhan_bound(critic_p, critic_q),
    ),
    Law.at_least(
        "no shift brings NWJ above Donsker-Varadhan",
        given(critic_p=normal(7), critic_q=normal(4), shift=np.linspace(-2.0, 3.0, 9)),
        left=lambda f, critic_p, critic_q, shift: f.donsker_varadhan_bound(critic_p, critic_q),
        right=lambda f, critic_p, critic_q, shift: np.array(
            [f.variational_lower_bound(critic_p + c, critic_q + c, divergence="kl") for c in shift]
        ),
    ),
    Law.equal(
        "the best shift makes NWJ Donsker-Varadhan",
        given(critic_p=normal(7), critic_q=normal(4)),
        left=lambda f, critic_p, critic_q: f.donsker_varadhan_bound(critic_p, critic_q),
        right=lambda f, critic_p, critic_q: f.variational_lower_bound(
            critic_p + 1 - np.log(np.mean(np.exp(critic_q))), critic_q + 1 - np.log(np.mean(np.exp(critic_q))), divergence="kl"
        ),
    ),
    *_refuses_samples("donsker_varadhan_bound"),
    # The ratio of a critic at the ends of its range.
    Anchor(
        "log_ratio_from_critic",
        "below every slope",
        given(critic=[-2.0, -7.0, 2.0], divergence="pearson_chi_squared"),
        gives=[-np.inf, -np.inf, LOG_2],
        source="f* is flat up to f'(0) = -2: u = 0",
        near_misses={"no flat part": [-np.inf, np.nan, LOG_2], "clipped": [0.0, 0.0, LOG_2]},
    ),
    Anchor(
        "log_ratio_from_critic",
        "above every slope",
        given(critic=[0.0, 3.0, -0.5], divergence="reverse_kl"),
        gives=[np.inf, np.inf, LOG_2],
        source="f'(infinity) = 0",
        near_misses={"NaN outside the domain": [np.inf, np.nan, LOG_2], "clipped": [0.0, 0.0, LOG_2]},
    ),
    Agree("log_ratio_from_critic", "kl far out", given(critic=[-300.0, 300.0, 0.25], divergence="kl")),
    Agree("log_ratio_from_critic", "jeffreys far out", given(critic=[-1e4, -40.0, 40.0, 300.0], divergence="jeffreys")),
    Agree("log_ratio_from_critic", "gan far out", given(critic=[-300.0, -40.0, -1e-3], divergence="gan")),
    Agree("log_ratio_from_critic", "jensen_shannon far out", given(critic=[-300.0, -40.0, 1e-6], divergence="jensen_shannon")),
    Law.equal(
        "the gradient is finite at and beyond the ends of the slopes of f",
        given(critic=[0.0, -2.0, -1.5, 0.5]),
        left=lambda f, critic: np.isfinite(
            [f.gradient("log_ratio_from_critic", critic, divergence=d) for d in ("reverse_kl", "pearson_chi_squared", "gan")]
        ),
        right=1.0,
    ),
    Rejects(
        "log_ratio_from_critic", "total variation", given(critic=zeros(3), divergence="total_variation"), blames="total_variation"
    ),
    Rejects("log_ratio_from_critic", "two axes", given(critic=zeros(3, 2), divergence="kl"), blames="critic"),
    *rejects_divergences("log_ratio_from_critic", {"critic": full(3, value=-0.5)}),
)
