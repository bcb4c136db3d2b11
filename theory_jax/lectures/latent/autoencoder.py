"""The autoencoder: a bottleneck, and the part of the data that passes it.

The lecture on the functions of theory_jax/latent/autoencoder.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sympy import Rational, cos, pi, sin, sqrt

from theory_jax.derivation.chains import at_least, equals
from theory_jax.derivation.kinds import BoundSides, Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, plus, times
from theory_jax.derivation.parts import do, value
from theory_jax.derivation.prose import holds, prose, where
from theory_jax.latent.autoencoder import (
    linear_autoencoder,
    principal_subspace_error,
    principal_subspace_reconstruction,
    squared_reconstruction_error,
)
from theory_jax.latent.latent_variable_models import linear_gaussian_posterior
from theory_jax.lectures.latent._autoencoder import FOUR, draw_line_and_landscape

derivation = Derivation(
    module=__name__,
    title="The autoencoder: a bottleneck, and the part of the data that passes it",
    sources=(
        "Baldi & Hornik 1989, Neural networks and principal component analysis: learning from examples without local minima",
        "Eckart & Young 1936, The approximation of one matrix by another of lower rank",
        "Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks",
        "Saxe, McClelland & Ganguli 2014, Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    ),
    question="A network that is trained to give back its input learns nothing if it has room: it copies. So it is squeezed, "
    "through fewer numbers than went in. What does it keep, can gradient descent get stuck, and what do the codes mean?",
    setting=(
        r"The data have the mean $\mu$ and the covariance $S$ (with $1/N$). The encoder is a matrix $E$ of $L$ rows, the "
        r"decoder a matrix $D$ of $L$ columns, and the reconstruction of $x$ is $\mu + D E (x - \mu)$.",
        r"The mean squared error is quadratic in $x - \mu$, so that it depends on $S$ alone. It does not change when data, "
        r"encoder and decoder are turned together. Coordinates therefore lie along eigenvectors of $S$, and $\lambda_1, "
        r"\lambda_2, \dots$ are the variances along them: positive, and in falling order.",
        "Chains have one code and two coordinates unless they say otherwise.",
    ),
    limits=(
        "Networks that are not linear: they can follow curved sets of data, and they have local minima.",
        "That gradient descent comes to the minimum from every start but those on the saddles.",
        "How many codes there should be: the error of the training data only falls with their number.",
    ),
)

gap = derivation.number("g", "by how much the first variance exceeds the second", positive=True)
small = derivation.number(r"\lambda_2", "the variance of the second coordinate", positive=True)
large = derivation.define(r"\lambda_1", plus(small, gap), "the variance of the first coordinate", positive=True)
r = derivation.number("r", "the length of the decoder", positive=True)
theta = derivation.number(r"\theta", "the angle between the decoder and the first coordinate", between=(-3, 3))
d_1 = derivation.define("d_1", r * cos(theta), "the first entry of the decoder", "decoder")
d_2 = derivation.define("d_2", r * sin(theta), "the second")
e_1 = derivation.number("e_1", "the first entry of the encoder", "encoder")
e_2 = derivation.number("e_2", "the second")
y_1 = derivation.number("y_1", r"the first coordinate of $x - \mu$")
y_2 = derivation.number("y_2", r"the second coordinate of $x - \mu$")
h = derivation.define("h", plus(e_1 * y_1, e_2 * y_2), "the code")


def mean_of(body):
    """The mean over a Gaussian with the data's covariance; of what is quadratic it is the mean over the data."""
    return Expectation(Normal(y_1, 0, large), Expectation(Normal(y_2, 0, small), body))


of_best_encoder = plus(large * sin(theta) ** 2, small * cos(theta) ** 2)
away_from_best = plus(large * (r * e_1 - cos(theta)) ** 2, small * (r * e_2 - sin(theta)) ** 2)
derivation.answer = prose(
    "The best linear autoencoder projects on the directions of the largest variance, and its error is the sum of the eigenvalues "
    "that it discards: with one code of two coordinates, at any angle of the decoder, {least}. If the eigenvalues differ, every "
    "other set of eigenvectors is a stationary point too, but a saddle: there is no other minimum to get stuck in. The error "
    "fixes the subspace and not the codes: any invertible matrix between encoder and decoder gives the same reconstructions.",
    least=holds(of_best_encoder, ">=", small, wrong={"the other variance": large}),
)
central = derivation.chain(
    "No linear autoencoder has a smaller error than the variance that is discarded",
    mean_of(plus((y_1 - d_1 * h) ** 2, (y_2 - d_2 * h) ** 2)),
    equals(
        plus(
            large * plus(1, -2 * r * cos(theta) * e_1, r**2 * e_1**2), small * plus(1, -2 * r * sin(theta) * e_2, r**2 * e_2**2)
        ),
        prose(
            "write out both squares; the coordinates are uncorrelated, so the mean products of the code with them are {first} "
            "and {second}, and its mean square is {square}",
            first=holds(mean_of(h * y_1), "=", large * e_1, named=True),
            second=holds(mean_of(h * y_2), "=", small * e_2, named=True),
            square=holds(mean_of(h**2), "=", plus(large * e_1**2, small * e_2**2), named=True),
        ),
    ),
    equals(plus(of_best_encoder, away_from_best), "complete the squares in the encoder"),
    at_least(
        of_best_encoder,
        prose(
            "leave out squares; they vanish at {first} and {second}, the pseudo-inverse of the decoder",
            first=where(e_1, cos(theta) / r),
            second=where(e_2, sin(theta) / r),
        ),
        dropping=away_from_best,
    ),
    equals(plus(small, times(gap, sin(theta) ** 2)), prose("{apart}", apart=holds(large, "=", plus(small, gap)))),
    at_least(
        small,
        prose(
            "leave out a square; it vanishes at {angle}, where the decoder points along the first coordinate",
            angle=where(theta, 0),
        ),
        dropping=times(gap, sin(theta) ** 2),
    ),
    central=True,
    so="Together the best encoder and decoder are the orthogonal projection on the direction of the larger variance.",
)


missed, back = plus((y_1 - d_1 * h) ** 2, (y_2 - d_2 * h) ** 2), [[d_1 * h, d_2 * h]]
mean_for_sum = {"the mean of the coordinates in place of the sum": missed / 2}
derivation.bridge(
    "The code's error", missed, squared_reconstruction_error, x=[[y_1, y_2]], reconstruction=back, wrong=mean_for_sum
)
mu_1 = derivation.number(r"\mu_1", "the first coordinate of the mean of the data", "mean")
mu_2 = derivation.number(r"\mu_2", "the second")
x_1 = derivation.number("x_1", "the first coordinate of a datum", "x")
x_2 = derivation.number("x_2", "the second")
_raw = plus(e_1 * x_1, e_2 * x_2)
_code_of_x = plus(e_1 * (x_1 - mu_1), e_2 * (x_2 - mu_2))
derivation.bridge(
    "The code subtracts the mean first, and adds it again last",
    [plus(mu_1, times(d_1, _code_of_x)), plus(mu_2, times(d_2, _code_of_x))],
    linear_autoencoder,
    **{"x": [[x_1, x_2]], "encoder": [[e_1, e_2]], "decoder": [[d_1], [d_2]], "mean": [mu_1, mu_2]},
    wrong={
        "the mean not subtracted": [plus(mu_1, times(d_1, _raw)), plus(mu_2, times(d_2, _raw))],
        "the mean not added again": [times(d_1, _code_of_x), times(d_2, _code_of_x)],
    },
)

derivation.say(
    "With $L$ codes the squares are completed in the same way: the best encoder of a decoder $D$ is its pseudo-inverse $D^+$, "
    r"the orthogonal projection $P$ on its columns is $D D^+$, and what is left is $\sum_j \lambda_j (1 - P_{jj})$. The diagonal "
    "of a projection on $L$ dimensions is between 0 and 1 and sums to $L$. Here there are two codes of four coordinates."
)
kappa_4 = derivation.number(r"\kappa_4", "the smallest of four variances", positive=True)
g_1 = derivation.number("g_1", r"$\kappa_1 - \kappa_2$", nonnegative=True)
g_2 = derivation.number("g_2", r"$\kappa_2 - \kappa_3$", nonnegative=True)
g_3 = derivation.number("g_3", r"$\kappa_3 - \kappa_4$", nonnegative=True)
kappa_3 = derivation.define(r"\kappa_3", plus(kappa_4, g_3), "the third of four variances", positive=True)
kappa_2 = derivation.define(r"\kappa_2", plus(kappa_3, g_2), "the second of four variances", positive=True)
kappa_1 = derivation.define(r"\kappa_1", plus(kappa_2, g_1), "the first of four variances", positive=True)
m_1 = derivation.number("m_1", r"$1 - P_{11}$: how much of the first coordinate is missed", nonnegative=True)
p_3 = derivation.number("p_3", r"$P_{33}$: how much of the third coordinate passes", nonnegative=True)
p_4 = derivation.number("p_4", r"$P_{44}$", nonnegative=True)
m_2 = derivation.define("m_2", plus(p_3, p_4, -m_1), r"$1 - P_{22}$, since the diagonal sums to 2")
taken = plus(times(g_1, m_1), times(g_2, p_3), times(plus(g_2, g_3), p_4))
derivation.chain(
    "What passes of the small variances is paid with the large ones",
    plus(kappa_1 * m_1, kappa_2 * m_2, kappa_3 * (1 - p_3), kappa_4 * (1 - p_4)),
    equals(
        plus(kappa_3, kappa_4, taken),
        prose(r"put every variance next to $\kappa_2$, whose own part is {none}", none=holds(plus(m_1, m_2, -p_3, -p_4), "=", 0)),
        wrong={"the large variances are the ones discarded": plus(kappa_1, kappa_2, taken)},
    ),
    at_least(
        plus(kappa_3, kappa_4),
        prose(
            "leave out products of numbers that are not negative; with gaps between the variances equality needs {m_1}, {p_3} "
            "and {p_4}, the projection on the first two coordinates",
            **{"m_1": where(m_1, 0), "p_3": where(p_3, 0), "p_4": where(p_4, 0)},
        ),
        dropping=taken,
    ),
    so="The smallest error is the sum of the eigenvalues that are discarded, whatever the number of codes.",
)
derivation.symbol("E", "the encoder's matrix", "encoder")
derivation.symbol("D", "the decoder's matrix", "decoder")
derivation.symbol("L N n j", "the numbers of codes and of data; a datum, a coordinate")
_data = np.random.default_rng(3).standard_normal((12, 4)) @ np.diag([2.0, 1.2, 0.7, 0.4]) + [1.0, -2.0, 0.5, 3.0]
_mean, _covariance = _data.mean(0), np.cov(_data.T, bias=True)
_top = np.linalg.eigh(_covariance)[1][:, 2:]
_encoder = jnp.array([[1.0, 0.3, -0.4, 0.2], [0.1, -0.8, 0.5, 0.6]])
_decoder = jnp.array([[1.0, 0.3], [-0.5, 2.0], [0.2, 0.7], [1.5, -1.0]])
_between = jnp.array([[2.0, 1.0], [-0.5, 1.5]])


def _error(encoder, decoder, data=_data):
    """The mean squared error of the code's linear autoencoder."""
    return jnp.mean(squared_reconstruction_error(data, linear_autoencoder(data, encoder, decoder, data.mean(0))))


@derivation.autodiff(
    r"\nabla_E\, \mathrm{error} = 0 \text{ at } E = D^+",
    because="The pseudo-inverse of any decoder with independent columns is its best encoder, also with two codes. The gradient "
    "at the pseudo-inverse of another decoder, which is not zero, is what the comparison is relative to.",
    scale=1.0,
    role="lemma",
)
def the_pseudo_inverse():
    slope, best = jax.grad(_error), jnp.linalg.pinv(_decoder)
    wrong = {"the transpose": slope(_decoder.T, _decoder), "half of it": slope(best / 2, _decoder)}
    return Sides(left=slope(best, _decoder), right=jnp.zeros((2, 4)), wrong=wrong)


@derivation.bound(
    r"\sum_{j > 2} \lambda_j \le \mathrm{error}(D^+, D)",
    because="The code's smallest error next to that of decoders drawn at random, each with its best encoder. It is tight for the "
    "first two eigenvectors, in any basis of their plane.",
    role="remark",
)
def other_subspaces():
    def sides(decoders, rank=2):
        errors = jax.vmap(lambda decoder: _error(jnp.linalg.pinv(decoder), decoder))(decoders)
        return jnp.full(len(decoders), principal_subspace_error(_data, rank=rank)), errors

    drawn = np.random.default_rng(4).standard_normal((30, 4, 2))
    return BoundSides(
        sides=sides,
        points=(drawn,),
        tight=((_top @ _between)[None],),
        wrong={"the error of one code": lambda decoders: sides(decoders, rank=1)},
    )


@derivation.numeric(
    r"\frac1N \sum_n \left| x_n - \hat x_n \right|^2 = \sum_{j > L} \lambda_j",
    because="The code's projection of each datum has the code's smallest error on average, for no codes, for two, and for all.",
    tolerance=1e-11,
    role="remark",
)
def projections_of_the_code():
    back = [principal_subspace_reconstruction(_data, rank=rank) for rank in (0, 2, 4)]
    errors = jnp.stack([jnp.mean(squared_reconstruction_error(_data, x)) for x in back])
    smallest = jnp.stack([principal_subspace_error(_data, rank=rank) for rank in (0, 2, 4)])
    return Sides(left=errors, right=smallest, wrong={"variances divided by N - 1": smallest * 12 / 11})


derivation.say("Gradient descent stops where the gradient vanishes. Where else is that?")
turning = Slope(of_best_encoder, theta, 2)
saddle = derivation.chain(
    "The error turns down at the other eigenvector",
    turning,
    equals(
        times(2, gap, cos(2 * theta)),
        prose("{slope}", slope=holds(Slope(of_best_encoder, theta), "=", times(gap, sin(2 * theta)))),
    ),
    so=prose(
        "This slope vanishes along both coordinates. Along the first the curvature is {valley}. At a right angle to it, where "
        "the code holds the second coordinate alone, it is {ridge}: an arbitrarily small turn lowers the error. Along the length "
        "of the decoder the error rises there, so it is a saddle.",
        valley=holds(turning, "=", 2 * gap, when={theta: 0}, named=True),
        ridge=holds(turning, "=", -2 * gap, when={theta: pi / 2}, named=True),
    ),
)


@derivation.autodiff(
    r"\text{eigenvalues of the Hessian at the second coordinate} = \left(\lambda_1 + \lambda_2 \pm \sqrt{(\lambda_1 - "
    r"\lambda_2)^2 + 4 \lambda_1^2},\ 4 \lambda_2,\ 0\right)",
    because=r"All four entries, with encoder and decoder at (0, 1), for data with the variances 4 and 1. In the first coordinate "
    r"the error is $\lambda_1 (1 - 2 d_1 e_1 + e_1^2) + \lambda_2 d_1^2$ up to terms of fourth order. In the second it "
    r"is $\lambda_2 (1 - d_2 e_2)^2$, flat where $d_2 e_2$ is 1. At (1, 0) the two variances are exchanged, and none is "
    r"negative.",
    role="remark",
)
def curvatures():
    data = np.array([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])  # covariance diag(4, 1)

    def error(entries):
        return _error(entries[None, :2], entries[2:, None], data)

    def eigenvalues(point):
        return jnp.linalg.eigvalsh(jax.hessian(error)(jnp.array(point)))

    def formula(here, other):
        root = np.sqrt((here - other) ** 2 + 4 * other**2)
        return jnp.array(sorted([here + other - root, here + other + root, 4 * here, 0.0]))

    found = jnp.stack([eigenvalues([0.0, 1.0, 0.0, 1.0]), eigenvalues([1.0, 0.0, 1.0, 0.0])])
    wrong = {"the coordinates exchanged": jnp.stack([formula(4.0, 1.0), formula(1.0, 4.0)])}
    return Sides(left=found, right=jnp.stack([formula(1.0, 4.0), formula(4.0, 1.0)]), wrong=wrong)


derivation.say("Zero curvature along one direction: the minimum is not a point. What does the error not see?")
derivation.symbol("A", "any invertible matrix")


@derivation.numeric(
    r"(D A)(A^{-1} E) = D E",
    because="Any invertible matrix $A$ between encoder and decoder gives the same reconstructions: the code's, of twelve data. "
    "The axes of the codes, their scales and their correlations are arbitrary; the subspace is not.",
)
def another_basis_of_codes():
    encoder, decoder = jnp.array(_top.T), jnp.array(_top)
    other = linear_autoencoder(_data, jnp.linalg.solve(_between, encoder), decoder @ _between, _mean)
    wrong = {"the matrix on both sides": linear_autoencoder(_data, _between @ encoder, decoder @ _between, _mean)}
    return Sides(left=other, right=linear_autoencoder(_data, encoder, decoder, _mean), wrong=wrong)


a_1 = derivation.number("a_1", "the decoder's first entry, as its own number")
a_2 = derivation.number("a_2", "the second")
F = derivation.define(
    "F",
    plus(large * plus((1 - a_1 * e_1) ** 2, a_2**2 * e_1**2), small * plus(a_1**2 * e_2**2, (1 - a_2 * e_2) ** 2)),
    "the error: of each coordinate, what is missing and what it adds to the other",
)
derivation.chain(
    "Descent moves encoder and decoder at one rate",
    plus(times(e_1, Slope(F, e_1)), times(e_2, Slope(F, e_2))),
    equals(
        plus(times(a_1, Slope(F, a_1)), times(a_2, Slope(F, a_2))),
        "the error is a function of the four products $a_i e_j$: doubling the encoder is doubling the decoder",
    ),
    so=r"Under gradient flow every entry moves against its slope, so $|e|^2 - |a|^2$ changes at $-2$ times the difference of "
    "both sides, which is zero: if descent comes to a minimum, then to one whose encoder and decoder differ in squared length as "
    "they did at the start.",
    role="remark",
)


@derivation.autodiff(
    r"\nabla_E\, E^\top = D^\top \nabla_D",
    because=r"With several codes it holds for matrices, and $E E^\top - D^\top D$ is conserved. The gradients are those of the "
    "code's error, at an encoder and a decoder of two codes.",
    role="remark",
)
def conserved_matrix():
    of_encoder, of_decoder = jax.grad(_error, (0, 1))(_encoder, _decoder)
    wrong = {"transposed": of_decoder.T @ _decoder, "the sign": -_decoder.T @ of_decoder}
    return Sides(left=of_encoder @ _encoder.T, right=_decoder.T @ of_decoder, wrong=wrong)


derivation.say(
    "A likelihood does not choose the axes either. The linear-Gaussian model of the lecture on latent variables, at its maximum "
    r"of likelihood, has the squared weight $\lambda_1 - s$ along the first coordinate."
)
s = derivation.number("s", "the variance of the noise", "exp(log_var)", positive=True)
room = derivation.number("w", "the weight along the first coordinate", "weight", positive=True)
lam = derivation.define(r"\lambda", plus(room**2, s), "the variance along the coordinate at the maximum of likelihood")
derivation.chain(
    "Probabilistic components shrink what principal components keep",
    times(room, room / plus(room**2, s)),
    equals(
        1 - s / lam,
        r"the posterior's mean is $\frac{w}{w^2 + s}\, y_1$, and the decoder multiplies it by $w$",
        wrong={"the posterior's precision for its variance": 1 - s / room**2},
    ),
    so=prose("Without noise they are principal components: {one}.", one=holds(Limit(1 - s / lam, s, 0), "=", 1)),
    role="remark",
)
derivation.symbol(r"W z U \Lambda I", "the model's weight and latent, the first eigenvectors and eigenvalues, the identity")


@derivation.numeric(
    r"\mu + W\, \mathbb{E}[z|x] = \bar x + U \left(I - s \Lambda^{-1}\right) U^\top (x - \bar x)",
    because=r"The code's posterior with the weight $U (\Lambda - s I)^{1/2}$ for two codes of the twelve data, and the noise "
    "0.1: each principal coordinate is shrunk by its own factor.",
    tolerance=1e-11,
    role="remark",
)
def shrunk_components():
    noise = 0.1
    variances = np.linalg.eigvalsh(_covariance)[2:]
    weight = _top * np.sqrt(variances - noise)
    mean_z, _ = linear_gaussian_posterior(jnp.array(_data), jnp.array(weight), jnp.array(_mean), jnp.log(noise))
    shrunk = _mean + ((_data - _mean) @ _top * (1 - noise / variances)) @ _top.T
    return Sides(
        left=_mean + mean_z @ weight.T, right=shrunk, wrong={"no shrinkage": principal_subspace_reconstruction(_data, rank=2)}
    )


@derivation.algorithm(
    "Training a linear autoencoder, here with one code on the four points of the example",
    do(r"repeat: $\hat x_n \leftarrow \mu + D E (x_n - \mu)$ for every datum", linear_autoencoder),
    do(r"$F \leftarrow \frac1N \sum_n |x_n - \hat x_n|^2$", squared_reconstruction_error, by=central, indent=1),
    do(r"$E \leftarrow E - \eta \nabla_E F$ and $D \leftarrow D - \eta \nabla_D F$", by=saddle, indent=1),
    do(r"the error ends at the sum of the variances that are discarded", principal_subspace_error, by=central),
)
def two_steps():
    encoder, decoder = jnp.array([[1.0, 0.0]]), jnp.array([[1.0], [0.0]])

    def error(encoder, decoder):
        return jnp.mean(squared_reconstruction_error(FOUR, linear_autoencoder(FOUR, encoder, decoder, jnp.zeros(2))))

    yield r"E = D^\top = (1, 0): \quad F", error(encoder, decoder), "2.5"
    for step, moved, found in ((1, "(1, 0, 1, 0.2)", "1.8"), (2, "(1.03, 0.042, 1, 0.35)", "1.3428")):
        slopes = jax.grad(error, (0, 1))(encoder, decoder)
        encoder, decoder = encoder - slopes[0] / 20, decoder - slopes[1] / 20
        yield rf"E, D \text{{ after step {step}, with }} \eta = \tfrac1{{20}}", [*encoder[0], *decoder[:, 0]], moved
        yield "F", error(encoder, decoder), found
    yield r"\text{the least } F", principal_subspace_error(FOUR, rank=1), "0.5"


@derivation.example(
    "The points (2, 1), (1, 2), (-2, -1) and (-1, -2) have the mean 0, the variances 2.5 and the covariance 2. The eigenvalues "
    "are 4.5 along the diagonal (1, 1) and 0.5 across it. One code, the mean of both coordinates, gives (2, 1) back as (1.5, "
    "1.5)."
)
def by_hand():
    yield r"\lambda_1 + \lambda_2", principal_subspace_error(FOUR, rank=0), "5"
    yield r"\lambda_2", principal_subspace_error(FOUR, rank=1), "0.5"
    mean_of_both = linear_autoencoder(FOUR, jnp.array([[0.5, 0.5]]), jnp.array([[1.0], [1.0]]), jnp.zeros(2))
    yield r"\hat x_1", mean_of_both[0], "(1.5000, 1.5000)"
    yield r"|x_1 - \hat x_1|^2", squared_reconstruction_error(FOUR, mean_of_both)[0], "0.5"
    along_the_diagonal = {gap: 4, small: Rational(1, 2), a_1: sqrt(2), a_2: 0, e_1: 1 / sqrt(2), e_2: 0}
    yield "F", value(F, along_the_diagonal), "0.5000"


derivation.figure(
    "Left: the four points of the example, and the line on which one code puts them. Right: "
    "the error of one code when encoder and decoder are the same vector, with the variances 4.5 and 0.5 along the axes. Dots are "
    "the two minima, crosses the saddles at the second eigenvector, and the square a maximum, where nothing passes; lines are "
    "paths of steepest descent.",
    panels=2,
)(draw_line_and_landscape)
