"""Contracts of the estimators of a KL divergence (lecture 51)."""

import numpy as np

from shared_specs.rows import (
    LOG_2,
    LOG_3,
    Agree,
    Anchor,
    Cancels,
    Law,
    Recipe,
    Rejects,
    full,
    given,
    log_of,
    normal,
    scalar,
    zeros,
)

# Two tokens, pi = (1/2, 1/2), pi_0 = (1/4, 3/4): the log-ratios are log 2 and log 2/3.
PI, PI_0 = log_of([0.5, 0.5]), log_of([0.25, 0.75])
KL, TURNED = 0.14384103622589045, 0.13081203594113694  # 1/2 log 4/3, and 3/4 log 3 - log 2
LOGITS, REFERENCE = normal(4, 3, 5), normal(4, 3, 5)
CLOSE = "a difference of 1e-6 needs the exponential without its first two terms, not their difference"
NEVER = [[0.5, -np.inf, 1.0], [0.25, -1.0, -0.5], [-np.inf, 2.0, -np.inf]]  # what pi does not do
RARER = [[0.0, -np.inf, 0.5], [-0.5, 0.5, 1.5], [0.0, 1.0, -2.0]]  # the reference does all of what pi does
FORBIDDEN = [[0.5, -0.75, 1.0], [0.5, 0.25, -np.inf]]
EVERYWHERE = [[0.0, -np.inf, 0.5], [0.5, 1.0, 0.0]]  # in the first row the reference never does what pi does, in the second pi
BASE = np.array([[0.5, -1.0, 1.75, 0.25], [-0.5, 0.0, 1.5, -2.0], [1.0, 0.75, -0.5, -1.5]])
NEARBY = np.array([[1e-1], [1e-3], [1e-5]]) * np.array([1.0, -0.5, 0.75, 0.25])
ESTIMATORS = ("kl_k1", "kl_k2", "kl_k3")


def _softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _log_softmax(logits):
    return np.log(_softmax(logits))


def _by_size(*shape, sizes):
    """Signs at random times the given sizes, one for each row."""
    return Recipe(
        lambda rng: np.asarray(sizes)[:, None] * rng.choice([-1.0, 1.0], size=shape) * rng.uniform(0.5, 1.0, size=shape)
    )


def _agrees():
    for function in ESTIMATORS:
        yield Agree(function, "regular", given(log_probs=normal(4, 3, mean=-3.0), reference_log_probs=normal(4, 3, mean=-2.0)))
        yield Agree(
            function,
            "where the reference never goes",
            given(log_probs=[-1.0, -2.0], reference_log_probs=[-np.inf, -1.5]),
            no_gradient="an infinite estimate has no finite slope",
        )
    yield Agree(
        "kl_k1",
        "of whole texts",
        given(log_probs=normal(4, mean=-300.0, scale=5.0), reference_log_probs=normal(4, mean=-300.0, scale=5.0)),
    )
    yield Agree("kl_k2", "no axis", given(log_probs=scalar(-1.25), reference_log_probs=scalar(-0.5)))
    yield Agree("kl_k3", "differences of 20", given(log_probs=[-301.0, -321.0, -0.5], reference_log_probs=[-321.0, -301.0, -0.5]))
    yield Agree(
        "kl_k3",
        "from 1e-1 to 1e-9",
        given(log_probs=_by_size(4, 3, sizes=[1e-1, 1e-3, 1e-6, 1e-9]), reference_log_probs=zeros(4, 3)),
        edge=CLOSE,
    )


def _shifted(f, logits, reference):
    return f.token_kl(logits + 1000.0, reference - 500.0)


def _mean_gradient(f, function, logits, reference):
    """The expected gradient, by the logits, of an estimator as a loss: sum_x pi(x) k'(x) (1[x = v] - pi(v))."""
    log_p, log_q = _log_softmax(logits), _log_softmax(reference)
    slope = np.exp(log_p) * f.gradient(function, log_p, log_q, wrt=0)
    return slope - np.exp(log_p) * slope.sum(axis=-1, keepdims=True)


SPEC = (
    *_agrees(),
    Agree("token_kl", "regular", given(logits=LOGITS, reference_logits=REFERENCE)),
    Agree("token_kl", "logits near 1000", given(logits=normal(4, 5, mean=1000.0), reference_logits=normal(4, 5, mean=-1000.0))),
    Agree("token_kl", "far apart", given(logits=[[900.0, 0.0, 3.0], [0.0, 40.0, 1.0]],
                                         reference_logits=[[0.0, 0.5, 1.0], [30.0, 0.0, -30.0]]),
          edge="where a softmax is nearly certain, a gradient below the roundoff of 1 needs terms that do not cancel"),
    Agree("token_kl", "apart by 1e-1 to 1e-5", given(logits=BASE, reference_logits=BASE + NEARBY),
          edge="a sum of terms of either sign loses a divergence of 1e-12"),
    Agree("token_kl", "what pi never does", given(logits=NEVER, reference_logits=RARER),
          edge="the gradient of torch.distributions is NaN where a logit is -inf"),
    Agree("token_kl", "what the reference never does", given(logits=FORBIDDEN, reference_logits=EVERYWHERE),
          no_gradient="it is infinite in the first row",
          edge="the gradient of torch.distributions is NaN where a divergence is infinite"),
    Agree("token_kl", "one row, one token", given(logits=[0.5], reference_logits=[-3.0])),
    Agree("adaptive_coefficient", "a little above the target",
          given(coefficient=scalar(0.3), observed_kl=scalar(6.6), target=6.0, gain=0.3)),
    Agree("adaptive_coefficient", "a little below",
          given(coefficient=scalar(0.3), observed_kl=scalar(5.5), target=6.0, gain=0.3)),
    Agree("adaptive_coefficient", "far above", given(coefficient=scalar(0.3), observed_kl=scalar(60.0), target=6.0, gain=0.3)),
    Agree("adaptive_coefficient", "a negative estimate, a wider clip",
          given(coefficient=scalar(2.0), observed_kl=scalar(-0.5), target=1.0, gain=0.5, clip=1.25)),
    Anchor(
        "kl_k1", "two tokens", given(log_probs=PI, reference_log_probs=PI_0), gives=[LOG_2, LOG_2 - LOG_3], source="by hand",
        near_misses={"turned over": [-LOG_2, LOG_3 - LOG_2], "size alone": [LOG_2, LOG_3 - LOG_2]},
    ),
    Anchor(
        "kl_k2", "two tokens", given(log_probs=PI, reference_log_probs=PI_0), gives=[LOG_2**2 / 2, (LOG_3 - LOG_2) ** 2 / 2],
        source="1/2 log(2)^2 and 1/2 log(2/3)^2",
        near_misses={"without the half": [0.4804530139182014, 0.1644019537865832], "in bits": [0.5, 0.1710943]},
    ),
    Anchor(
        "kl_k3", "two tokens", given(log_probs=PI, reference_log_probs=PI_0),
        gives=[LOG_2 - 0.5, 0.5 + LOG_2 - LOG_3], source="by hand",
        near_misses={"the ratio turned "
        "over": [1 - LOG_2, LOG_3 - LOG_2 - 1 / 3], "minus the log-ratio": [-0.5 - LOG_2, 0.9054651],
                     "without -1": [LOG_2 + 0.5, 1.5 + LOG_2 - LOG_3]},
    ),
    Anchor(
        "token_kl", "two tokens", given(logits=[PI, PI_0], reference_logits=[PI_0, PI]), gives=[KL, TURNED],
        source="1/2 log 4/3 and 3/4 log 3 - log 2",
        near_misses={"turned over": [TURNED, KL], "in bits": [0.2075187496, 0.1887218755],
                     "k2's mean": [0.1612137419, 0.1217072]},
    ),
    Anchor(
        "token_kl", "of unequal supports",
        given(logits=log_of([[1.0, 0.0], [0.5, 0.5]]), reference_logits=log_of([[0.5, 0.5], [1.0, 0.0]])),
        gives=[LOG_2, np.inf], source="by hand", near_misses={"k3's mean": [LOG_2 - 0.5, np.inf], "finite": [LOG_2, 0.0]},
    ),
    Anchor(
        "adaptive_coefficient", "five times the "
        "target", given(coefficient=scalar(1.0), observed_kl=scalar(30.0), target=6.0, gain=0.1),
        gives=1.02, source="by hand", near_misses={"no clip": 1.4, "the wrong way": 0.98, "gain forgotten": 1.2},
    ),
    Anchor(
        "adaptive_coefficient", "nine tenths of the target",
        given(coefficient=scalar(2.0), observed_kl=scalar(5.4), target=6.0, gain=0.5), gives=1.9, source="by hand",
        near_misses={"difference, not ratio": 1.8, "clipped from one side": 2.0, "ratio of the target": 2.0 * (1 + 0.5 / 9)},
    ),
    Law.equal(
        "equal log-probabilities give exactly 0", given(log_probs=normal(5, 3, mean=-4.0)),
        left=lambda f, log_probs: all((getattr(f, name)(log_probs, log_probs) == 0).all() for name in ESTIMATORS), right=True,
    ),
    Law.equal(
        "equal logits give exactly 0", given(logits=LOGITS),
        left=lambda f, logits: bool((f.token_kl(logits, logits) == 0).all()), right=True,
    ),
    Law.at_least(
        "k2 and k3 are never negative", given(log_probs=normal(50, scale=3.0), reference_log_probs=normal(50, scale=3.0)),
        left=lambda f, *given: np.stack([f.kl_k2(*given), f.kl_k3(*given)]), right=0.0,
    ),
    Law.at_least(
        "... nor a divergence, however small", given(logits=normal(50, 7), noise=normal(50, 7, scale=1e-7)),
        left=lambda f, logits, noise: f.token_kl(logits, logits + noise), right=0.0, edge="a sum of terms of either sign",
    ),
    Law.equal(
        "the means of k1 and k3 are the divergence", given(logits=LOGITS, reference=REFERENCE),
        left=lambda f, logits, reference: np.stack([
            (_softmax(logits) * getattr(f, name)(_log_softmax(logits), _log_softmax(reference))).sum(axis=-1)
            for name in ("kl_k1", "kl_k3")]),
        right=lambda f, logits, reference: np.stack([f.token_kl(logits, reference)] * 2),
    ),
    Law.equal(
        "as a loss k1 has no gradient", given(logits=LOGITS, reference=REFERENCE),
        left=lambda f, *given: _mean_gradient(f, "kl_k1", *given), right=0.0,
    ),
    Law.equal(
        "as a loss k2 has the gradient of the divergence", given(logits=LOGITS, reference=REFERENCE),
        left=lambda f, *given: _mean_gradient(f, "kl_k2", *given), right=lambda f, *given: f.gradient("token_kl", *given, wrt=0),
    ),
    Law.equal(
        "as a loss k3 has the gradient of the other divergence", given(logits=LOGITS, reference=REFERENCE),
        left=lambda f, *given: _mean_gradient(f, "kl_k3", *given),
        right=lambda f, logits, reference: f.gradient("token_kl", reference, logits, wrt=1),
    ),
    Law.equal(
        "the divergence of softmaxes does not see a shift", given(logits=LOGITS, reference=REFERENCE),
        left=_shifted, right=lambda f, *given: f.token_kl(*given), cancels=Cancels(2000.0, "the sum of a logit and 1000 has "
        "three digits less"),
    ),
    Law.equal(
        "on target the coefficient stays exactly as it is", given(coefficient=scalar(0.37)),
        left=lambda f, beta: bool(f.adaptive_coefficient(beta, np.full_like(beta, 6.0), target=6.0, gain=0.3) == beta),
        right=True,
    ),
    Law.at_least(
        "a step changes the coefficient by gain times clip at most", given(coefficient=scalar(0.37)),
        left=lambda f, beta: 0.3 * 0.2 * np.ones(5) * beta,
        right=lambda f, beta: np.abs(np.stack([
            f.adaptive_coefficient(beta, np.full_like(beta, kl), target=6.0, gain=0.3)
            for kl in (-3.0, 0.0, 5.9, 7.0, 1e9)]) - beta),
    ),
    *(
        row
        for function in ESTIMATORS
        for row in (
            Rejects(function, "other samples", given(log_probs=zeros(3, 2), reference_log_probs=zeros(3, 4)),
                    blames="reference_log_probs"),
            Rejects(function, "a sample of probability 0", given(log_probs=[-1.0, -np.inf], reference_log_probs=[-1.0, -1.0]),
                    blames="log_probs"),
            Rejects(function, "NaN", given(log_probs=[-1.0, -2.0], reference_log_probs=[-1.0, np.nan]),
                    blames="reference_log_probs"),
        )
    ),
    Rejects("token_kl", "other vocabularies", given(logits=zeros(3, 2), reference_logits=zeros(3, 4)), blames="reference_logits"),
    Rejects("token_kl", "no token at all", given(logits=zeros(3, 0), reference_logits=zeros(3, 0)), blames="logits"),
    Rejects("token_kl", "a row of -inf", given(logits=[[0.0, 1.0], [-np.inf, -np.inf]], reference_logits=zeros(2, 2)),
            blames="logits"),
    Rejects("token_kl", "NaN", given(logits=zeros(2, 2), reference_logits=[[0.0, np.nan], [0.0, 0.0]]),
            blames="reference_logits"),
    *(
        Rejects("adaptive_coefficient", case,
                given(**{"coefficient": scalar(0.3), "observed_kl": scalar(6.0), "target": 6.0, "gain": 0.3} | wrong),
                blames=name)
        for case, name, wrong in (
            ("a target of 0", "target", {"target": 0.0}),
            ("a negative gain", "gain", {"gain": -0.1}),
            ("a clip of 0", "clip", {"clip": 0.0}),
            ("a step that may end at 0", "gain", {"gain": 5.0}),
            ("a coefficient of 0", "coefficient", {"coefficient": scalar(0.0)}),
            ("a divergence that is NaN", "observed_kl", {"observed_kl": scalar(np.nan)}),
            ("one divergence for each text", "observed_kl", {"observed_kl": full(3, value=6.0)}),
        )
    ),
)  # fmt: skip
