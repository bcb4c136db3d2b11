"""f-GAN: generation by minimizing a variational divergence.

The lecture on the functions of theory_jax/foundations/f_gan.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import Abs, ImmutableMatrix, Matrix, Rational, Subs, exp, log, oo, sign, tanh

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Limit, Normal, Slope, Total, plus, times
from theory_jax.derivation.unspecified import function
from theory_jax.foundations.f_divergence import f_divergence
from theory_jax.foundations.f_gan import (
    f_gan_alternative_generator_loss,
    f_gan_critic_loss,
    f_gan_generator_loss,
    location_scale_generator,
    quadratic_critic,
)
from theory_jax.lectures.foundations.f_divergence import convex

derivation = Derivation(
    module=__name__,
    title="f-GAN: generation by minimizing a variational divergence",
    lectures=(4,),
    sources=(
        "Nowozin, Cseke & Tomioka 2016, f-GAN, eqs. 6-7, section 3.2, tables 2 and 6",
        "Goodfellow et al. 2014, Generative Adversarial Nets",
        "Nagarajan & Kolter 2017, Gradient descent GAN optimization is locally stable",
    ),
    question="A critic can bound a divergence from samples. How does this become a game that trains a generator, and what can "
    "be said about where the game goes?",
    setting=(
        r"The data are distributed as $p$, the model's samples as $q_\theta$, both on finitely many points and positive, until "
        r"the game of Gaussians. $f$ is a smooth, strictly convex generator, $B_f(u, a) \ge 0$ its height above the tangent at "
        r"$a$, $f^*$ its conjugate.",
        r"A network gives every point a real number $v$; the output map $g_f$ makes it a critic's value $T = g_f(v)$ in the "
        r"domain of $f^*$. The slope of $f^*$ there is the ratio $w$ that the critic claims: $T = f'(w)$ and $f^*(T) = w f'(w) "
        r"- f(w)$.",
        r"The value of the game is $F = \mathbb{E}_p[T] - \mathbb{E}_{q_\theta}[f^*(T)]$. The critic descends "
        r"$f^*(g_f(v_{\text{fake}})) - g_f(v_{\text{real}})$. The generator descends $-f^*(g_f(v_{\text{fake}}))$, or, as an "
        r"alternative, $-g_f(v_{\text{fake}})$.",
    ),
    answer=r"Against a perfect critic the generator's gradient is the gradient of the divergence itself. Two players who both "
    r"take gradient steps do not descend anything, yet near the solution they converge if the steps are small enough, because "
    r"$f^*$ is curved. Of convergence from afar nothing is known.",
    limits=(
        "Global convergence of the game.",
        "Alternating steps, optimizers with momentum, and noise of minibatches.",
        "Networks: the stability analysis is for a critic that is linear in its parameters and Gaussians.",
    ),
)

k = derivation.index("k", "a point")
p = derivation.law("p", k, "the data", "exp(log_probs_p)")
q = derivation.law("q", k, "the model", "exp(log_probs_q)")
f = derivation.function("f", "a smooth, strictly convex generator")
slope = function("f", 1)
w = derivation.numbers("w", k, "the ratio that the critic claims", positive=True)
divergence = derivation.define("D_f", Expectation(q, f(p / q)), "the f-divergence of $p$ from $q$", "f_divergence")
T = derivation.define("T", slope(w), "the critic's value", "output_activation(v)", over=k)
price = derivation.define(
    "f^*(T_{{{}}})", w * slope(w) - f(w), "the conjugate at the critic's value", "fenchel_conjugate", over=k
)
F = derivation.define("F", plus(Expectation(p, T), -Expectation(q, price)), "the value of the game", "-f_gan_critic_loss")
derivation.symbol("B_f", "the height of $f$ above a tangent")
derivation.symbol("g_f", "the output map", "output_activation")
derivation.symbol(r"\theta", "the generator's parameters")

derivation.chain(
    "The value of the game is the divergence minus what the critic misses",
    F,
    equals(
        Expectation(q, plus(f(w), times(slope(w), p / q - w))),
        r"$T_k = f'(w_k)$ and $f^*(T_k) = w_k f'(w_k) - f(w_k)$; a mean over $p$ is one over $q$ with the weight $p_k/q_k$",
    ),
    equals(
        plus(divergence, -Expectation(q, convex.at(p / q, w))),
        r"this is the tangent at the claimed ratio; the generator is above it by $B_f(p_k/q_k, w_k)$",
        wrong={
            "the gap under the data": plus(divergence, -Expectation(p, convex.at(p / q, w))),
            "the arguments exchanged": plus(divergence, -Expectation(q, convex.at(w, p / q))),
        },
    ),
    at_most(
        divergence,
        r"add the mean height, which is zero if and only if $w_k = p_k/q_k$",
        adding=Expectation(q, convex.at(p / q, w)),
    ),
    so=r"So the critic's best answer is $g_f(v_k) = f'(p_k/q_k)$. It exists if $f'(p_k/q_k)$ is in the range of $g_f$. This "
    r"holds for every row of the table but total variation, since $g_f$ rises continuously to $f'(\infty)$ and covers all "
    r"values of $f'$.",
)
n = derivation.number("n", "the size of the output", positive=True)
tv = Total(k, Abs(p - q)) / 2
derivation.chain(
    "Total variation: the best critic is only approached",
    plus(Expectation(p, tanh(n * sign(p - q)) / 2), -Expectation(q, tanh(n * sign(p - q)) / 2)),
    equals(
        times(tanh(n), tv),
        r"with $v_k = n$ where $p_k > q_k$ and $v_k = -n$ elsewhere; $g_f(v) = \frac12 \tanh v$, and $f^*(t) = t$ from "
        r"$-\frac12$ to $\frac12$",
        points=40,
    ),
    role="remark",
    so=r"It tends to $\mathrm{TV}$ as $n \to \infty$ and never reaches it. The range of $\frac12 \tanh v$ is not the interior "
    r"of the domain of $f^*$, which goes down to $-\infty$; the values below $-\frac12$ are never needed.",
)
derivation.symbol(r"\mathrm{TV}", "total variation")

# ---------------------------------------------------------------------------------------------------- the generator

h = derivation.numbers("h", k, "how the model's probabilities change with a parameter")
epsilon = derivation.number(r"\varepsilon", "the parameter's change")
moved = plus(q, epsilon * h)
u = p / q
central = derivation.chain(
    "Against a perfect critic the generator descends the divergence",
    Subs(Slope(Total(k, times(moved, f(p / moved))), epsilon), epsilon, 0),
    equals(Total(k, plus(times(h, f(u)), -times(q, slope(u), p * h / q**2))), r"the product rule, and the chain rule for $f$"),
    equals(
        -Total(k, times(h, plus(times(u, slope(u)), -f(u)))),
        r"collect $h_k$",
        wrong={"the sign": Total(k, h * plus(times(u, slope(u)), -f(u)))},
    ),
    equals(
        Subs(Slope(plus(Total(k, p * slope(u)), -Total(k, times(moved, plus(times(u, slope(u)), -f(u))))), epsilon), epsilon, 0),
        r"the best critic is $T = f'(p/q)$ with $f^*(T) = (p/q) f'(p/q) - f(p/q)$. It is held fixed, so only the model's "
        r"samples move",
        wrong={"the alternative loss": Subs(Slope(-Total(k, moved * slope(u)), epsilon), epsilon, 0)},
    ),
    central=True,
    states=2,
    so=r"The last line is the gradient of the game's value with the critic frozen at its best. That the best critic moves with "
    r"the model has no effect to first order: this is the envelope theorem, here by calculation. So a training loop may "
    r"alternate: improve the critic, then take one generator step through the frozen critic.",
)
derivation.say(
    r"The algorithm. Repeat: draw real samples and noise; take one or more descent steps on the critic's loss in the critic's "
    r"parameters; then take one descent step on the generator's loss in $\theta$, through the samples, with the critic's "
    r"parameters frozen. In practice the critic is never perfect."
)


def _slope_of_divergence(data, model, change):
    """How fast the divergence changes when the model's probabilities do."""

    def of_model(law):
        return f_divergence(jnp.log(data[None]), jnp.log(law[None]), divergence="kl")[0]

    return jax.jvp(of_model, (model,), (change,))[1]


derivation.bridge(
    "The divergence of the code has this gradient, for Kullback-Leibler",
    -Total(k, h * p / q),
    _slope_of_divergence,
    data=p,
    model=q,
    change=h,
    calls=(f_divergence,),
    wrong={"the sign": Total(k, h * p / q), "the alternative loss": -Total(k, h * log(p / q))},
)
v = derivation.number("v", "the output of a network", "v_fake")
s = derivation.number("s", "its output at a real sample", "v_real")
g = derivation.function("g", "an output map", "output_activation")
c_ = derivation.function(r"{f^*}", "the conjugate", "fenchel_conjugate")
g1, c1 = function("g", 1), function(r"{f^*}", 1)
derivation.chain(
    "The two generator losses differ by the claimed ratio",
    Slope(-c_(g(v)), v),
    equals(
        times(c1(g(v)), Slope(-g(v), v)),
        r"the chain rule; the first factor is the slope of the conjugate, the ratio $w$ that the critic claims",
        wrong={"squared": times(c1(g(v)) ** 2, Slope(-g(v), v))},
    ),
    so=r"The game's own loss weighs each fake by how likely the critic finds it to be data. The alternative loss weighs all "
    r"alike. They agree where the claimed ratio is 1, that is at the solution.",
)

derivation.say(
    r"The GAN's row. Its output map is the logarithm of the sigmoid $\sigma(v) = 1/(1 + e^{-v})$, its conjugate $-\log(1 - "
    r"e^t)$. So the game is the one that a classifier plays."
)
derivation.symbol(r"\sigma", "the sigmoid")
softplus_up, softplus_down = log(1 + exp(v)), log(1 + exp(-v))
derivation.chain(
    "The GAN's row is the original adversarial game",
    plus(log(1 / (1 + exp(-s))), log(1 - 1 / (1 + exp(-v)))),
    equals(
        plus(-log(1 + exp(-s)), -log(1 + exp(v))),
        r"$e^{\log \sigma(v)} = \sigma(v)$, so the first line is $\log \sigma(s) + \log(1 - \sigma(v))$, and $1 - \sigma(v) = "
        r"1/(1 + e^v)$",
        wrong={
            "real and fake exchanged": plus(-log(1 + exp(-v)), -log(1 + exp(s))),
            "the sign of a logit": plus(-log(1 + exp(-s)), -log(1 + exp(-v))),
        },
    ),
    so=r"This is minus the binary cross entropy of a classifier that calls data 1 and fakes 0, with the logit $v$.",
)
derivation.chain(
    "Its own generator loss has a slope that vanishes where the critic is sure",
    Slope(-softplus_up, v),
    equals(-1 / (1 + exp(-v)), r"that is $-\sigma(v)$", wrong={"the other sigmoid": -1 / (1 + exp(v))}),
    so=r"It tends to 0 as $v \to -\infty$: early in training, when the critic is sure of every fake, the generator learns "
    r"nothing.",
)
derivation.chain(
    "... and the alternative loss does not",
    Limit(Slope(softplus_down, v), v, -oo),
    equals(
        Limit(-1 / (1 + exp(v)), v, -oo), r"that is $-\sigma(-v)$", wrong={"the other sigmoid": Limit(-1 / (1 + exp(-v)), v, -oo)}
    ),
    equals(-1, r"$e^v$ tends to 0"),
)
_LOSSES = {
    "kl": (exp(v - 1), s),
    "reverse_kl": (v - 1, -exp(-s)),
    "squared_hellinger": (exp(v) - 1, 1 - exp(-s)),
    "gan": (log(1 + exp(v)), -log(1 + exp(-s))),
}


def _of_each(code):
    return lambda **outputs: jnp.stack([code(**outputs, divergence=name) for name in _LOSSES])


derivation.bridge(
    "The code computes the critic's loss, for Kullback-Leibler, its reverse, Hellinger and the GAN",
    Matrix([fake - real for fake, real in _LOSSES.values()]),
    _of_each(f_gan_critic_loss),
    v_real=[s],
    v_fake=[v],
    calls=(f_gan_critic_loss,),
    wrong={
        "real and fake exchanged": Matrix(
            [(fake - real).subs({v: s, s: v}, simultaneous=True) for fake, real in _LOSSES.values()]
        ),
        "the sign": Matrix([real - fake for fake, real in _LOSSES.values()]),
    },
)
derivation.bridge(
    "... the generator's loss",
    Matrix([-fake for fake, _ in _LOSSES.values()]),
    _of_each(f_gan_generator_loss),
    v_fake=[v],
    calls=(f_gan_generator_loss,),
    wrong={"the sign": Matrix([fake for fake, _ in _LOSSES.values()])},
)
derivation.bridge(
    "... and the alternative",
    Matrix([-real.subs(s, v) for _, real in _LOSSES.values()]),
    _of_each(f_gan_alternative_generator_loss),
    v_fake=[v],
    calls=(f_gan_alternative_generator_loss,),
    wrong={"the generator's own loss": Matrix([-fake for fake, _ in _LOSSES.values()])},
)

# ---------------------------------------------------------------------------------------------------- a game of Gaussians

x = derivation.number("x", "a number on the line", "x")
m = derivation.number("m", "the location of the model", "location")
l = derivation.number("l", "its log-scale", "log_scale")  # noqa: E741 (the lecture's letter)
mu = derivation.number(r"\mu", "the location of the data")
lam = derivation.number(r"\ell", "the log-scale of the data")
coefficients = [derivation.number(f"c_{i}", f"the critic's coefficient of $x^{i}$", f"coefficients[{i}]") for i in range(3)]
noise = derivation.number("z", "standard normal noise", "z")
derivation.say(
    r"A game small enough to be solved. The data are Gaussian, the generator $m + e^l z$ makes Gaussians from standard normal "
    r"noise, and the critic's network is a quadratic function, $v(x) = c_0 + c_1 x + c_2 x^2$."
)
critic = sum((c * x**i for i, c in enumerate(coefficients[1:], 1)), start=coefficients[0])


def _output(z, location, log_scale, of_critic):
    """The critic's output at samples of the generator."""
    return quadratic_critic(location_scale_generator(z, location, log_scale), of_critic)


derivation.bridge(
    "The code's generator and critic",
    critic.subs(x, m + exp(l) * noise),
    _output,
    z=[noise],
    location=m,
    log_scale=l,
    of_critic=[*coefficients],
    calls=(location_scale_generator, quadratic_critic),
    wrong={"a scale in place of its logarithm": critic.subs(x, m + l * noise)},
)
data, model = Normal(x, mu, exp(2 * lam)), Normal(x, m, exp(2 * l))
derivation.chain(
    "A quadratic critic is rich enough for Gaussians",
    plus(data.log_density(x), -model.log_density(x)),
    equals(
        plus(
            l - lam + m**2 / (2 * exp(2 * l)) - mu**2 / (2 * exp(2 * lam)),
            times(x, mu / exp(2 * lam) - m / exp(2 * l)),
            times(x**2, 1 / (2 * exp(2 * l)) - 1 / (2 * exp(2 * lam))),
        ),
        r"expand the squares and collect the powers of $x$",
        wrong={"data and model exchanged": plus(model.log_density(x), -data.log_density(x))},
    ),
    so=r"The logarithm of the ratio of two Gaussian densities is quadratic in $x$. So for Kullback-Leibler, where the best "
    r"critic is $1 + \log(p/q)$, and for the GAN, where $v = \log(p/q)$, nothing is lost to the class.",
)
d = derivation.number("d", "half the distance of two modes")
derivation.chain(
    "A weak critic sees moments only",
    plus(Expectation(Normal(x, -d, 1), critic) / 2, Expectation(Normal(x, d, 1), critic) / 2),
    equals(plus(coefficients[0], times(coefficients[2], 1 + d**2)), r"both modes have variance 1, and means that cancel"),
    equals(Expectation(Normal(x, 0, 1 + d**2), critic), "one Gaussian with the same mean and variance"),
    role="remark",
    so=r"For Kullback-Leibler the data enter the game through $\mathbb{E}_p[v]$ alone. For data with two modes the game "
    r"therefore comes to rest at the single Gaussian $\mathcal{N}(0, 1 + d^2)$ with value 0, although the divergence is not "
    r"zero: the critic's class decides what is learned.",
)
kappa = derivation.number(r"\kappa", r"the curvature $a^2 / f''(1)$ of the critic's loss", positive=True)
a = derivation.number("a", r"the slope of the output map at the resting output", positive=True)
g2, c2 = function("g", 2), function(r"{f^*}", 2)
derivation.chain(
    "The curvature of the critic's loss",
    Slope(plus(c_(g(v)), -g(v)), v, 2),
    equals(
        plus(times(c2(g(v)), g1(v) ** 2), times(c1(g(v)) - 1, g2(v))),
        r"the chain rule and the product rule",
        wrong={"the slope of the map not squared": plus(times(c2(g(v)), g1(v)), times(c1(g(v)) - 1, g2(v)))},
    ),
    so=r"At rest the data and the model agree, the claimed ratio $(f^*)'$ is 1, the second term vanishes, and $(f^*)'' = "
    r"1/f''(1)$ (the lecture on conjugates). With $a$ the slope of the map there, the curvature is $\kappa = a^2/f''(1)$. The "
    r"resting output $v^\circ$ is where $g_f(v^\circ) = f'(1)$: 1 for Kullback-Leibler, 0 for the GAN.",
)
derivation.symbol(r"v^\circ", "the critic's output at rest")
for _words, _loss, _place, _value in (
    ("Kullback-Leibler", exp(v - 1) - v, 1, 1),
    ("the GAN", softplus_up + softplus_down, 0, Rational(1, 2)),
):
    derivation.chain(
        f"... for {_words}", Subs(Slope(_loss, v, 2), v, _place), equals(_value, rf"at $v^\circ = {_place}$"), role="remark"
    )
moments = ImmutableMatrix(3, 3, lambda i, j: Expectation(Normal(x, 0, 1), x ** (i + j)))
derivation.chain(
    "How the critic's outputs vary over data that are standard normal",
    moments,
    equals(
        ImmutableMatrix([[1, 0, 1], [0, 1, 0], [1, 0, 3]]),
        "the moments 1, 0, 1, 0, 3 of a standard Gaussian",
        wrong={"the fourth moment 2": ImmutableMatrix([[1, 0, 1], [0, 1, 0], [1, 0, 2]])},
    ),
    role="lemma",
    so=r"Call this matrix $G$, of the means of $\varphi_i \varphi_j$ with $\varphi = (1, x, x^2)$. Any Gaussian data become "
    r"standard normal by a change of coordinates, but the steps then have other sizes: see the example.",
)
derivation.symbol("G", r"the second moments of $\varphi$")
derivation.symbol(r"\varphi", "the features $1, x, x^2$ of the critic")
derivation.chain(
    "How the model's moments move with its parameters",
    ImmutableMatrix(3, 2, lambda i, j: Slope(Expectation(Normal(x, m, exp(2 * l)), x**i), (m, l)[j])),
    equals(ImmutableMatrix([[0, 0], [1, 0], [2 * m, 2 * exp(2 * l)]]), r"the moments are 1, $m$ and $m^2 + e^{2l}$"),
    role="lemma",
    so=r"Call it $M$. At $m = 0$ and $l = 0$ it has the entries 1 and 2, and rank 2.",
)
derivation.symbol("M", "the slopes of the model's moments")
_G, _M = sympy.Matrix([[1, 0, 1], [0, 1, 0], [1, 0, 3]]), sympy.Matrix([[0, 0], [1, 0], [0, 2]])


def _jacobian(slope_, curvature):
    """The Jacobian of the two players' steps at the solution, by its blocks."""
    top = (-curvature * _G).row_join(-slope_ * _M)
    return top.col_join((slope_ * _M.T).row_join(sympy.zeros(2, 2)))


cs = [derivation.number(f"x_{i}", f"the critic's deviation in $c_{i}$") for i in range(3)]
ys = [derivation.number(f"y_{i}", f"the generator's deviation in ${('m', 'l')[i]}$") for i in range(2)]
_field = list(_jacobian(a, kappa) * sympy.Matrix([*cs, *ys]))
damping = times(kappa, plus((cs[0] + cs[2]) ** 2, cs[1] ** 2, 2 * cs[2] ** 2))
derivation.chain(
    "Near the solution, for standard normal data, the players rotate, and the critic's curvature damps the rotation",
    plus(*(times(deviation, change) for deviation, change in zip([*cs, *ys], _field, strict=True))),
    equals(
        -damping,
        r"the terms with $a$, by which each player pushes the other, cancel; what is left is $-\kappa\, x^\top G\, x$, "
        r"completed to squares",
        wrong={"the coupling kept": -damping + a * cs[1] * ys[0]},
    ),
    at_most(0, "add squares", adding=damping),
    so=r"The first line is half the rate at which the squared distance from the solution changes under infinitely small steps: "
    r"critic $\dot x = -\kappa G x - a M y$, generator $\dot y = a M^\top x$. The distance never grows. It is constant only "
    r"while $x = 0$, which forces $M y = 0$ and so $y = 0$: every eigenvalue has a negative real part. With $\kappa = 0$ there "
    r"would be no damping at all.",
)


@derivation.autodiff(
    r"J = \begin{pmatrix} -\kappa G & -a M \\ a M^\top & 0 \end{pmatrix}",
    because=r"The Jacobian of the two players' steps at the solution, for standard normal data, by automatic differentiation "
    r"of the topic's losses, for Kullback-Leibler ($a = 1$, $\kappa = 1$) and the GAN ($a = \kappa = \frac12$); the "
    r"expectations are sums over the nodes of a Gauss rule, exact for polynomials.",
)
def the_code_has_this_jacobian():
    found, wanted, undamped = [], [], []
    for name, rest, slope_, curvature in (("kl", 1.0, 1, 1), ("gan", 0.0, Rational(1, 2), Rational(1, 2))):
        found.append(jax.jacfwd(lambda state, name=name: _steps(state, (0.0, 0.0), name))(jnp.array([rest, 0.0, 0.0, 0.0, 0.0])))
        wanted.append(np.array(_jacobian(slope_, curvature), dtype=np.float64))
        undamped.append(np.array(_jacobian(slope_, curvature / 2), dtype=np.float64))
    return Sides(left=jnp.stack(found), right=np.stack(wanted), wrong={"half the damping": np.stack(undamped)})


derivation.symbol("J", "the Jacobian of the players' steps")
lamb = derivation.number(r"\lambda", "an eigenvalue")
eta = derivation.number(r"\eta", "the size of a step", positive=True)


@derivation.symbolic(
    r"\det(\lambda - J) = \left(\lambda^2 + \kappa \lambda + a^2\right) \left(\lambda^3 + 4 \kappa \lambda^2 + (2 \kappa^2 + 4 "
    r"a^2) \lambda + 4 a^2 \kappa\right)",
    because=r"The location $m$ meets the critic's slope $c_1$ only: the first factor. The log-scale meets $c_0$ and $c_2$: the "
    r"second.",
    role="lemma",
)
def two_blocks():
    left = (lamb * sympy.eye(5) - _jacobian(a, kappa)).det()
    location = lamb**2 + kappa * lamb + a**2
    scale = lamb**3 + 4 * kappa * lamb**2 + (2 * kappa**2 + 4 * a**2) * lamb + 4 * a**2 * kappa
    return Sides(left=left, right=location * scale, wrong={"no damping of the location": (lamb**2 + a**2) * scale})


derivation.chain(
    "A step of finite size must be small enough",
    plus((1 - eta * kappa / 2) ** 2, times(eta**2, a**2 - kappa**2 / 4)),
    equals(
        plus(1, -times(eta, kappa - eta * a**2)),
        r"for $\kappa < 2a$ the first line is $|1 + \eta\lambda|^2$ for the location's eigenvalues $-\frac{\kappa}{2} \pm i "
        r"\sqrt{a^2 - \kappa^2/4}$",
        wrong={"half the damping": plus(1, -times(eta, kappa / 2 - eta * a**2))},
    ),
    so=r"For $\kappa < 2a$ the location's deviation shrinks if and only if $\eta < \kappa/a^2 = 1/f''(1)$: 1 for "
    r"Kullback-Leibler, 2 for the GAN. In general simultaneous steps converge near the solution if $\eta < -2\, \mathrm{Re} "
    r"\lambda / |\lambda|^2$ for every eigenvalue, and leave it if $\eta$ is larger than that for one.",
)


def _steps(state, data, name):
    """The direction in which critic and generator step together, by quadrature; data: location and log-scale."""

    def critic_loss(coefficients_):
        real = quadratic_critic(location_scale_generator(_z, *map(jnp.asarray, data)), coefficients_)
        fake = quadratic_critic(location_scale_generator(_z, state[3], state[4]), coefficients_)
        return _z_weights @ f_gan_critic_loss(real, fake, divergence=name)

    def generator_loss(theta):
        fake = quadratic_critic(location_scale_generator(_z, theta[0], theta[1]), state[:3])
        return _z_weights @ f_gan_generator_loss(fake, divergence=name)

    return -jnp.concatenate([jax.grad(critic_loss)(state[:3]), jax.grad(generator_loss)(state[3:])])


_nodes, _weights = np.polynomial.hermite_e.hermegauss(12)
_z, _z_weights = jnp.array(_nodes), jnp.array(_weights / _weights.sum())


def _largest_step(location, log_scale, name):
    """The step below which simultaneous steps converge near the solution, from the eigenvalues of the moments' Jacobian."""
    scale = math.exp(log_scale)
    raw = [
        np.polynomial.polynomial.polypow([location, scale], i) for i in range(5)
    ]  # x^i as a polynomial in standard normal noise
    moment = [np.polynomial.polynomial.Polynomial(one).coef @ np.array([1, 0, 1, 0, 3])[: len(one)] for one in raw]
    second = np.array([[moment[i + j] for j in range(3)] for i in range(3)])
    moving = np.array([[0, 0], [1, 0], [2 * location, 2 * scale**2]])
    slope_, curvature = (1.0, 1.0) if name == "kl" else (0.5, 0.5)
    blocks = np.block([[-curvature * second, -slope_ * moving], [slope_ * moving.T, np.zeros((2, 2))]])
    eigenvalues = np.linalg.eigvals(blocks)
    return np.min(-2 * eigenvalues.real / np.abs(eigenvalues) ** 2)


@derivation.numeric(
    r"\max_\lambda |1 + \eta \lambda| = 1 \quad\text{at}\quad \eta = \min_\lambda \left(-\frac{2\, \mathrm{Re} "
    r"\lambda}{|\lambda|^2}\right)",
    because=r"Data that are not centered, at locations 0.7 and 2 with log-scale 0.26: the eigenvalues on the left are those of "
    r"the Jacobian of the topic's losses by automatic differentiation, the step on the right comes from the moments of the "
    r"data. A smaller step makes every factor smaller than 1.",
    tolerance=1e-9,
    role="remark",
)
def at_the_bound_a_deviation_neither_grows_nor_shrinks():
    at_the_bound, at_half = [], []
    for location, name in ((0.7, "kl"), (2.0, "kl"), (2.0, "gan")):
        rest = jnp.array([1.0 if name == "kl" else 0.0, 0.0, 0.0, location, 0.26])
        jacobian = jax.jacfwd(lambda one, location=location, name=name: _steps(one, (location, 0.26), name))(rest)
        eigenvalues, size = np.linalg.eigvals(np.asarray(jacobian)), _largest_step(location, 0.26, name)
        at_the_bound.append(np.abs(1 + size * eigenvalues).max())
        at_half.append(np.abs(1 + size / 2 * eigenvalues).max())
    return Sides(left=np.array(at_the_bound), right=np.ones(3), wrong={"half the bound": np.array(at_half)})


derivation.symbol(r"\mathrm{Re}", "the real part")

# ---------------------------------------------------------------------------------------------------- example, figure, exercises

_given = {p: (0.75, 0.25), q: (0.5, 0.5)}


@derivation.example(
    r"The GAN's row at $p = (0.75, 0.25)$ and $q = (0.5, 0.5)$, with the best critic and with an ignorant one; the slopes of "
    r"both generator losses at a fake with $v = -4$; and the largest steps of the Gaussian game."
)
def two_points():
    def game(outputs):
        real, fake = jnp.array(outputs), jnp.array(outputs)
        pairs = f_gan_critic_loss(jnp.repeat(real, 2), jnp.tile(fake, 2), divergence="gan").reshape(2, 2)
        return -jnp.array(_given[p]) @ pairs @ jnp.array(_given[q])

    yield r"F \text{ at } v = \log(p/q)", game([math.log(1.5), math.log(0.5)]), "-1.3187"
    yield r"F \text{ at } v = 0", game([0.0, 0.0]), "-1.3863"
    for name, loss, said in (
        ("the game's own loss", f_gan_generator_loss, "-0.018"),
        ("the alternative", f_gan_alternative_generator_loss, "-0.982"),
    ):
        yield rf"\text{{the slope of {name}}}", jax.grad(lambda v, loss=loss: loss(v[None], divergence="gan")[0])(-4.0), said
    for location, said in ((0.0, "1"), (0.7, "0.139"), (2.0, "0.0285"), (3.0, "0.0105")):
        log_scale = 0.26 if location else 0.0
        yield (
            rf"\eta \text{{ for Kullback-Leibler at }} \mu = {location:g},\ \ell = {log_scale:g}",
            _largest_step(location, log_scale, "kl"),
            said,
        )
    yield r"\eta \text{ for the GAN at } \mu = 2,\ \ell = 0.26", _largest_step(2.0, 0.26, "gan"), "0.0571"


@derivation.figure(
    r"Left: simultaneous steps of the game for Kullback-Leibler, data at 0 with log-scale 0, started at $m = 0.3$: with $\eta "
    r"= 0.3$ the location and the critic's slope spiral into the solution, with $\eta = 1.1$ out of it. Right: the eigenvalues "
    r"times $\eta$ must lie in the disc around -1.",
    panels=2,
)
def orbits_and_eigenvalues(left, right):
    jacobian = np.array(_jacobian(1, 1), dtype=np.float64)
    circle = np.exp(1j * np.linspace(0, 2 * math.pi, 100)) - 1
    right.plot(circle.real, circle.imag, color="gray")
    for size, mark in ((0.3, "o-"), (1.1, "s-")):
        states = [jnp.array([1.0, 0.0, 0.0, 0.3, 0.0])]
        for _ in range(20 if size < 1 else 12):
            states.append(states[-1] + size * _steps(states[-1], (0.0, 0.0), "kl"))
        states = np.asarray(states)
        left.plot(states[:, 3], states[:, 1], mark, markersize=3, label=rf"$\eta = {size}$")
        points = size * np.linalg.eigvals(jacobian)
        right.plot(points.real, points.imag, mark[0], label=rf"$\eta = {size}$")
    left.set(xlabel="$m$", ylabel="$c_1$")
    left.legend()
    right.set(xlabel=r"$\mathrm{Re}\, \eta\lambda$", ylabel=r"$\mathrm{Im}\, \eta\lambda$")
    right.legend()


@derivation.exercise(
    r"What is the critic's loss at rest, for any generator and for the GAN's?",
    r"$f^*(f'(1)) - f'(1) = -f(1)$; for the GAN's, $2 \log 2$, 1.3863.",
)
def the_loss_at_rest():
    yield f_gan_critic_loss(jnp.zeros(1), jnp.zeros(1), divergence="gan"), "1.3863"
    yield f_gan_critic_loss(jnp.ones(1), jnp.ones(1), divergence="kl") + 1, "1"


@derivation.exercise(
    r"If $f^*$ were a straight line, $\kappa$ would be 0. By which factor would the location's deviation grow with every step? "
    r"How much is that after 100 steps with $\eta = 0.1$ and $a = 1$?",
    r"By $\sqrt{1 + \eta^2 a^2}$: the eigenvalues are $\pm i a$. After 100 steps by $1.01^{50}$, 1.6446.",
)
def no_damping():
    block = np.array([[0.0, -1.0], [1.0, 0.0]])
    yield np.abs(np.linalg.eigvals(np.linalg.matrix_power(np.eye(2) + 0.1 * block, 100)))[0], "1.6446"


@derivation.exercise(
    r"A training run uses $\eta = 0.05$ for Gaussian data with log-scale 0.26. At which of the locations 0.7, 2 and 3 can it "
    r"converge for Kullback-Leibler, and at which for the GAN?",
    r"Kullback-Leibler at 0.7 only: its bounds are 0.139, 0.0285 and 0.0105. The GAN at 0.7 and 2: 0.279, 0.0571 and 0.021. "
    r"Data should be centered and scaled.",
)
def one_step_size():
    yield [_largest_step(location, 0.26, "kl") for location in (0.7, 2.0, 3.0)], "0.139, 0.0285 and 0.0105"
    yield [_largest_step(location, 0.26, "gan") for location in (0.7, 2.0, 3.0)], "0.279, 0.0571 and 0.021"


@derivation.numeric(
    r"{f^*}(g_f(v)) = \log(1 + e^v) \quad\text{at}\quad v = 40",
    because=r"The code composes $f^*$ and $g_f$ on paper. In float64 $\sigma(40)$ rounds to 1, and $-\log(1 - \sigma(v))$ "
    r"would be infinite.",
    role="appendix",
)
def composed_on_paper():
    outputs = jnp.array([40.0, 400.0])
    return Sides(left=f_gan_generator_loss(outputs, divergence="gan"), right=-outputs, wrong={"the sign": outputs})
