"""Hutchinson's estimator: a trace from products with random vectors.

The lecture on the functions of theory_jax/flows/hutchinson_trace.py.
"""

import functools
import itertools
import math

import jax.numpy as jnp
import numpy as np
from sympy import KroneckerDelta, Rational, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.flows.hutchinson_trace import exact_divergence, hutchinson_divergence, hutchinson_variance

derivation = Derivation(
    module=__name__,
    title="Hutchinson's estimator: a trace from products with random vectors",
    lectures=(),
    sources=(
        "Hutchinson 1990, A stochastic estimator of the trace of the influence matrix for Laplacian smoothing splines",
        "Avron & Toledo 2011, Randomized algorithms for estimating the trace of an implicit symmetric positive semi-definite "
        "matrix",
        "Grathwohl et al. 2019, FFJORD: free-form continuous dynamics for scalable reversible generative models",
    ),
    question="The density along a flow changes by the divergence of its velocity, the trace of a Jacobian. Its diagonal costs "
    "one derivative for each dimension. How does a single derivative in a random direction give it without bias, and how noisy "
    "is that?",
    setting=(
        r"$J$ is the Jacobian of a vector field at a point, with $D$ rows and columns.",
        r"A probe is a random vector $p$ that is drawn independently of the point, with $E\, p\, p^\top = I$. The estimator is "
        r"$p^\top J p$, or its mean over several probes.",
        r"For the variance the entries of a probe are independent, with mean 0, variance 1 and fourth moment $\kappa$. Signs "
        r"(Rademacher) have $\kappa = 1$, normal numbers $\kappa = 3$.",
        "The chains write out three dimensions; the code is compared with four.",
    ),
    limits=(
        "Probes with dependent entries, of which an exercise has one kind.",
        "What becomes of an unbiased divergence inside a function that is not linear: it is biased there.",
    ),
    trained="An estimate of a trace. `energy/score_matching` trains by it.",
)

i = derivation.index("i", "a dimension")
j = derivation.index("j", "a dimension")
k = derivation.index("k", "a dimension")
l = derivation.index("l", "a dimension")  # noqa: E741
n = derivation.index("n", "a value of the probe")
D = derivation.count(i, "D", "the number of dimensions")
J = derivation.numbers("J", (i, j), "the Jacobian", "jacobian")
w = derivation.law("w", n, "the probabilities of the probe's values")
values = derivation.numbers("q", (n, i), "an entry of a value of the probe", "probes")
probe = derivation.numbers("p", i, "the entries of one probe", "probes")
moments = derivation.define("C", Expectation(w, times(values, values.at(n, j))), "the probe's second moments", over=(i, j))
S = derivation.define("S", (J + J.at(j, i)) / 2, "the symmetric part of the Jacobian", over=(i, j))


def _form(matrix, left, right):
    return Total(i, Total(j, times(left, matrix, right)))


symmetric = derivation.chain(
    "A quadratic form sees the symmetric part alone",
    _form(J, probe, probe.at(j)),
    equals(
        times(Rational(1, 2), plus(_form(J, probe, probe.at(j)), _form(J.at(j, i), probe, probe.at(j)))),
        prose(
            "a number is its own transpose, {same}: one half of the sum of both",
            same=holds(_form(J, probe, probe.at(j)), "=", _form(J.at(j, i), probe, probe.at(j))),
        ),
    ),
    equals(
        _form(S, probe, probe.at(j)),
        prose("the definition of the symmetric part, {part}", part=holds(S, "=", times(Rational(1, 2), plus(J, J.at(j, i))))),
    ),
    role="lemma",
    so=r"So the derivative along $p$, times $p$, is the same as the gradient of $p^\top v$, times $p$: forward and reverse "
    r"differentiation give the same number, and neither computes the matrix.",
)
expected = derivation.chain(
    "The expectation takes the matrix out",
    Expectation(w, _form(J, values, values.at(n, j))),
    equals(
        Total(i, Total(j, times(J, Expectation(w, times(values, values.at(n, j)))))),
        r"the expectation is linear, and $J$ does not depend on the probe",
        wrong={"transposed and squared": Total(i, Total(j, times(J**2, Expectation(w, times(values, values.at(n, j))))))},
    ),
    equals(
        Total(i, Total(j, times(J, moments))),
        "the second moments by their name",
        wrong={"the diagonal alone": Total(i, times(J.at(i, i), moments.at(i, i)))},
    ),
    central=True,
)
trace = derivation.chain(
    "Second moments of one leave the trace",
    Total(i, Total(j, times(J, KroneckerDelta(i, j)))),
    equals(Total(i, J.at(i, i)), "only the diagonal is left", wrong={"everything": Total(i, Total(j, J))}),
    so=prose(
        "With the identity as second moments the estimator is unbiased. Probes that are uniform on $[-1, 1]$ have a third of the "
        "identity, and give a third of the trace, {third}.",
        third=holds(
            Total(i, Total(j, times(J, KroneckerDelta(i, j) / 3))), "=", times(Rational(1, 3), Total(i, J.at(i, i))), named=True
        ),
    ),
)


def _linear(jacobian):
    """The field v(x) = J x, with a matrix for each example."""
    return lambda x: jnp.einsum("bij,bj->bi", jnp.asarray(jacobian), x)


def _of_linear_field(divergence, jacobian, **probes):
    """Of the field v(x) = J x, at the origin."""
    return divergence(jnp.zeros((1, len(jacobian))), fn=_linear(jacobian[None]), **probes)


derivation.bridge(
    "The code's divergence of a linear field",
    Total(i, J.at(i, i)),
    functools.partial(_of_linear_field, exact_divergence),
    jacobian=J,
    calls=(exact_divergence,),
    wrong={"the sum of all entries": Total(i, Total(j, J)), "the mean of the diagonal": Total(i, J.at(i, i)) / D},
)
derivation.bridge(
    "... and its estimate from one probe",
    _form(J, probe, probe.at(j)),
    functools.partial(_of_linear_field, hutchinson_divergence),
    jacobian=J,
    probes=[[probe]],
    calls=(hutchinson_divergence,),
    wrong={"the squared length of the product": Total(i, Total(j, J * probe.at(j)) ** 2)},
)
derivation.chain(
    "Probes along the axes are exact together",
    times(1 / D, Total(k, Total(i, Total(j, times(sqrt(D) * KroneckerDelta(i, k), J, sqrt(D) * KroneckerDelta(j, k)))))),
    equals(
        Total(k, J.at(k, k)),
        prose(
            r"the probe $\sqrt{D}\, e_k$ gives {entry}, and the mean of the $D$ probes is the trace",
            entry=holds(
                _form(J, sqrt(D) * KroneckerDelta(i, k), sqrt(D) * KroneckerDelta(j, k)), "=", D * J.at(k, k), named=True
            ),
        ),
        wrong={"without the root": Total(k, J.at(k, k)) / D},
    ),
    role="remark",
    so="So one function serves for the estimate and for the exact value.",
)

excess = derivation.number(
    r"\epsilon",
    "how far the fourth moment exceeds 1; it is not below 1, as a mean square is never below the squared mean, 1",
    positive=True,
)
kappa = derivation.define(r"\kappa", 1 + excess, "the fourth moment of an entry", positive=True)
pairs = (
    KroneckerDelta(i, j) * KroneckerDelta(k, l),
    KroneckerDelta(i, k) * KroneckerDelta(j, l),
    KroneckerDelta(i, l) * KroneckerDelta(j, k),
)
all_equal = KroneckerDelta(i, j) * KroneckerDelta(j, k) * KroneckerDelta(k, l)
fourth = derivation.define(
    "M", plus(*pairs, (kappa - 3) * all_equal), r"the fourth moments $E\, p_i p_j p_k p_l$", over=(i, j, k, l)
)
derivation.symbol("E", "the expectation over the probe")
derivation.say(
    prose(
        "How noisy it is. With independent entries an index that occurs once or three times makes a fourth moment zero, "
        "{odd}. Two pairs give 1, {pairs}, and one index four times gives {four}, where the three pairings count 3.",
        odd=holds(fourth.at(0, 0, 0, 1), "=", 0),
        pairs=holds(fourth.at(0, 0, 1, 1), "=", 1),
        four=holds(fourth.at(0, 0, 0, 0), "=", kappa, wrong={"the pairings not taken off": kappa + 3}),
    )
)


@derivation.exact(
    r"E\, p_i p_j p_k p_l = M_{ijkl}",
    because=r"Signs, $\kappa = 1$: all eight vectors of three signs. Normal numbers, $\kappa = 3$: the grid of a quadrature with "
    "three points in each dimension, which is exact for polynomials of degree five in each.",
    outcomes=81 * (8 + 27),
    role="lemma",
)
def fourth_moments():
    places = np.arange(3)
    a, b, c, d = np.meshgrid(*[places] * 4, indexing="ij")
    pairs = (a == b) * (c == d) * 1.0 + (a == c) * (b == d) + (a == d) * (b == c)
    same = (a == b) & (b == c) & (c == d)
    found, wanted = [], []
    points, weights = np.polynomial.hermite_e.hermegauss(3)
    for line, chances, kappa in (([-1.0, 1.0], [0.5, 0.5], 1), (points, weights / weights.sum(), 3)):
        grid = np.array(list(itertools.product(line, repeat=3)))
        chance = np.prod(list(itertools.product(chances, repeat=3)), axis=1)
        found.append(np.einsum("n,ni,nj,nk,nl->ijkl", chance, grid, grid, grid, grid))
        wanted.append(pairs + (kappa - 3) * same)
    wanted = np.array(wanted)
    return Sides(left=np.array(found), right=wanted, wrong={"kappa of the other": wanted[::-1], "one pairing": wanted / 3})


second_moment = Total(i, Total(j, Total(k, Total(l, times(S, S.at(k, l), fourth)))))
off_diagonal = plus(Total(i, Total(j, S**2)), -Total(i, S.at(i, i) ** 2))
on_diagonal = Total(i, S.at(i, i) ** 2)
variance = plus(second_moment, -(Total(i, S.at(i, i)) ** 2))
derivation.answer = prose(
    "The expectation of the estimator is {mean}: the trace, {trace}, for every probe with the identity as second moments. For "
    "independent entries its variance is {variance}: twice the squared entries of the symmetric part off the diagonal, and a "
    "multiple of those on it that vanishes for random signs alone. So signs are the best probes with independent entries, "
    "whatever the Jacobian is.",
    mean=holds(Expectation(w, _form(J, values, values.at(n, j))), "=", Total(i, Total(j, times(J, moments))), named=True),
    trace=holds(Total(i, Total(j, times(J, KroneckerDelta(i, j)))), "=", Total(i, J.at(i, i)), named=True),
    variance=holds(
        variance,
        "=",
        plus(times(2, off_diagonal), times(kappa - 1, on_diagonal)),
        named=True,
        wrong={"the fourth moment itself": plus(times(2, off_diagonal), times(kappa, on_diagonal))},
    ),
)
noise = derivation.chain(
    "The variance of one probe",
    variance,
    equals(
        plus(times(2, Total(i, Total(j, S**2))), times(kappa - 3, on_diagonal)),
        prose(
            "insert the fourth moments: the first pairing is the squared trace, the other two are equal, because {symmetric}",
            symmetric=holds(S, "=", S.at(j, i)),
        ),
        wrong={
            "the Jacobian not symmetrized": plus(times(2, Total(i, Total(j, J**2))), times(kappa - 3, Total(i, S.at(i, i) ** 2)))
        },
    ),
    equals(plus(times(2, off_diagonal), times(excess, on_diagonal)), prose("{excess}", excess=holds(kappa - 3, "=", excess - 2))),
    at_least(
        times(2, off_diagonal),
        prose(
            r"leave out squares times $\epsilon$, which is never negative; equality for signs, {none}, which have the fourth "
            "moment {one}",
            none=where(excess, 0),
            one=holds(kappa, "=", 1),
        ),
        dropping=times(excess, on_diagonal),
        wrong={"half of it": times(4, off_diagonal)},
    ),
    uses=(symmetric,),
    so=r"Signs are best among all probes with independent entries, for every $J$, and exact where $S$ is diagonal. The mean of "
    r"$P$ independent probes has the $P$-th part of the variance.",
)
for_signs = plus(times(2, Total(i, Total(j, S**2))), times(-2, Total(i, S.at(i, i) ** 2)))
derivation.bridge("The code's variance of signs", for_signs, hutchinson_variance, jacobian=[J], kind="rademacher")
derivation.bridge(
    "... and that of normal probes",
    2 * Total(i, Total(j, S**2)),
    hutchinson_variance,
    jacobian=[J],
    kind="gaussian",
    wrong={"not symmetrized": 2 * Total(i, Total(j, J**2))},
)
derivation.chain(
    "Normal probes add at least twice the squared trace over D to the variance",
    times(2, Total(i, S.at(i, i) ** 2)),
    equals(
        plus(times(2 / D, Total(i, S.at(i, i)) ** 2), times(1 / D, Total(i, Total(j, (S.at(i, i) - S.at(j, j)) ** 2)))),
        prose(
            "multiply out: {squares}",
            squares=holds(
                Total(i, Total(j, (S.at(i, i) - S.at(j, j)) ** 2)),
                "=",
                plus(times(2, D, on_diagonal), times(-2, Total(i, S.at(i, i)) ** 2)),
            ),
        ),
        wrong={
            "each pair once": plus(
                times(2 / D, Total(i, S.at(i, i)) ** 2), times(1 / (2 * D), Total(i, Total(j, (S.at(i, i) - S.at(j, j)) ** 2)))
            )
        },
    ),
    at_least(
        times(2 / D, Total(i, S.at(i, i)) ** 2),
        prose("leave out squares; equality if and only if the diagonal is constant, {same}", same=where(J.at(i, i), J.at(0, 0))),
        dropping=times(1 / D, Total(i, Total(j, (S.at(i, i) - S.at(j, j)) ** 2))),
    ),
    role="remark",
)


_MATRIX = np.array([[1.0, 2.0], [0.0, 3.0]])


@derivation.algorithm(
    "Hutchinson's estimate of the divergence",
    do(r"draw the signs of $P$ probes $p$, each 1 or $-1$ with equal chances", by=noise),
    do(r"for each probe:"),
    do(r"$g \leftarrow J p$, one derivative of the field along $p$, in one pass", indent=1),
    do(r"$e \leftarrow p^\top g$", hutchinson_divergence, by=expected, indent=1),
    do(r"the estimate is the mean of the $e$", hutchinson_divergence, by=trace),
    do(r"its variance is the $P$-th part of that of one probe", hutchinson_variance, by=noise),
)
def two_probes():
    at, field = jnp.zeros((1, 2)), _linear(_MATRIX[None])
    probes = jnp.array([[[1.0, 1.0]], [[1.0, -1.0]]])
    yield r"\text{the rows of } J", _MATRIX, "(1, 2) and (0, 3)"
    yield r"p = (1, 1): \quad g", jnp.asarray(_MATRIX) @ probes[0, 0], "(3, 3)"
    yield r"e", hutchinson_divergence(at, probes[:1], field), "6"
    yield r"p = (1, -1): \quad g", jnp.asarray(_MATRIX) @ probes[1, 0], "(-1, -3)"
    yield r"e", hutchinson_divergence(at, probes[1:], field), "2"
    yield r"\text{estimate}", hutchinson_divergence(at, probes, field), "4"
    yield r"\text{variance of a mean of two}", hutchinson_variance(_MATRIX[None], kind="rademacher") / 2, "2"


@derivation.example(
    r"$J = \begin{pmatrix} 1 & 2 \\ 0 & 3 \end{pmatrix}$, so $S$ has the diagonal $(1, 3)$ and 1 next to it. The four pairs of "
    r"signs, and the two probes along the axes."
)
def two_dimensions():
    signs = jnp.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    each = hutchinson_divergence(jnp.zeros((4, 2)), signs[None], _linear(jnp.broadcast_to(_MATRIX, (4, 2, 2))))
    yield r"p^\top J p", each, "(6, 2, 2, 6)"
    yield r"\text{mean}, \text{variance}", (jnp.mean(each), jnp.var(each)), "(4, 4)"
    yield r"\text{signs}", hutchinson_variance(_MATRIX[None], kind="rademacher"), "4"
    yield r"\text{normal}", hutchinson_variance(_MATRIX[None], kind="gaussian"), "24"
    axes = math.sqrt(2) * jnp.eye(2)[:, None]
    yield r"\text{both axes}", hutchinson_divergence(jnp.zeros((1, 2)), axes, _linear(_MATRIX[None])), "4"
    yield r"\text{exact}", exact_divergence(jnp.zeros((1, 2)), _linear(_MATRIX[None])), "4"


@derivation.figure(
    r"Left: 4000 estimates of the trace, about 16, of the identity plus small noise, in 16 dimensions, from one probe each. "
    r"Signs find the diagonal exactly; normal probes have the standard deviation $\sqrt{32}$. Right: the standard deviation of "
    r"the mean of $P$ probes, estimated (dots) and by the formula (lines).",
    panels=2,
)
def signs_and_normal_probes(spread, falling):
    rng = np.random.default_rng(1)
    matrix = np.eye(16) + 0.05 * rng.standard_normal((16, 16))
    fields = _linear(jnp.asarray(matrix)[None])
    probes = {"rademacher": np.sign(rng.standard_normal((4000, 1, 16))), "gaussian": rng.standard_normal((4000, 1, 16))}
    for kind, each in probes.items():
        found = np.einsum("pbi,ij,pbj->p", each, matrix, each)
        spread.hist(found, bins=np.linspace(0, 35, 70), density=True, alpha=0.6, label=kind)
        counts = np.array([1, 4, 16, 64])
        one = float(hutchinson_variance(matrix[None], kind=kind)[0]) ** 0.5
        falling.loglog(counts, one / counts**0.5, label=kind)
        means = [found[: 4000 // count * count].reshape(-1, count).mean(1).std() for count in counts]
        falling.loglog(counts, means, "o", color="gray", markersize=3)
    spread.axvline(float(exact_divergence(jnp.zeros((1, 16)), fields)[0]), color="gray")
    spread.set(xlabel=r"$p^\top J p$", ylabel="density", ylim=(0, 0.8))
    falling.set(xlabel="probes, $P$", ylabel="standard deviation")
    spread.legend()
