"""f-GAN: generation by minimizing a variational divergence.

The lecture on the functions of theory_jax/foundations/f_gan.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import ImmutableMatrix, Matrix, Rational, Subs, exp, log

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.unspecified import function
from theory_jax.foundations.f_divergence import f_divergence
from theory_jax.foundations.f_gan import (
    f_gan_alternative_generator_loss,
    f_gan_critic_loss,
    f_gan_generator_loss,
    location_scale_generator,
    quadratic_critic,
)
from theory_jax.lectures.foundations._gaussian_game import largest_step, resting_jacobian, steps
from theory_jax.lectures.foundations.variational_divergence import central as lower_bound

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
        r"the game of Gaussians. $f$ is a smooth, strictly convex generator, $f^*$ its conjugate, $D_f$ its divergence of $p$ "
        r"from $q$.",
        r"A network gives every point a real number $v$; the output map $g_f$ makes it a critic's value $T = g_f(v)$ in the "
        r"domain of $f^*$. The slope of $f^*$ there is the ratio $w$ that the critic claims: $T = f'(w)$ and $f^*(T) = w f'(w) "
        r"- f(w)$.",
        r"The value of the game is $F = \mathbb{E}_p[T] - \mathbb{E}_{q_\theta}[f^*(T)]$. The critic descends "
        r"$f^*(g_f(v_{\text{fake}})) - g_f(v_{\text{real}})$. The generator descends $-f^*(g_f(v_{\text{fake}}))$, or, as an "
        r"alternative, $-g_f(v_{\text{fake}})$.",
    ),
    answer=r"Against a perfect critic the generator's gradient is the gradient of the divergence itself. Two players who both "
    r"take gradient steps do not descend anything. For Gaussian data and a quadratic critic they yet converge near the solution "
    r"if the steps are small enough, because $f^*$ is curved. Nothing is shown about convergence from afar.",
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
derivation.symbol("F", "the value of the game", "-f_gan_critic_loss")
derivation.symbol("g_f", "the output map", "output_activation")
derivation.say(
    r"By the lecture on variational divergences $F \le D_f$ for every critic, with equality if and only if $T_k = f'(p_k/q_k)$: "
    r"the critic's best answer is $g_f(v_k) = f'(p_k/q_k)$. It exists if $f'(p_k/q_k)$ is in the range of $g_f$. This holds for "
    r"every row of the table but total variation, since $g_f$ rises continuously to $f'(\infty)$ and covers all values of $f'$. "
    r"The best values of total variation, $\pm\frac12$, are only approached by $g_f(v) = \frac12 \tanh v$, and so is $D_f$."
)
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
    uses=(lower_bound,),
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

    of_model = lambda law: f_divergence(jnp.log(data[None]), jnp.log(law[None]), divergence="kl")[0]  # noqa: E731
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
        wrong={"real and fake exchanged": plus(-log(1 + exp(-v)), -log(1 + exp(s)))},
    ),
    so=r"This is minus the binary cross entropy of a classifier that calls data 1 and fakes 0, with the logit $v$.",
)
derivation.chain(
    "Where the critic is sure the slope of its own generator loss vanishes; that of the alternative does not",
    Matrix([[Slope(-softplus_up, v), Slope(softplus_down, v)]]),
    equals(
        Matrix([[-1 / (1 + exp(-v)), -1 / (1 + exp(v))]]),
        r"that is $-\sigma(v)$ and $-\sigma(-v)$",
        wrong={"the sigmoids exchanged": Matrix([[-1 / (1 + exp(v)), -1 / (1 + exp(-v))]])},
    ),
    so=r"As $v \to -\infty$ they tend to 0 and $-1$: early in training, when the critic is sure of every fake, the generator "
    r"learns nothing by its own loss.",
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
    wrong={"real and fake exchanged": Matrix([fake.subs(v, s) - real.subs(s, v) for fake, real in _LOSSES.values()])},
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
_G = ImmutableMatrix([[1, 0, 1], [0, 1, 0], [1, 0, 3]])
moments = ImmutableMatrix(3, 3, lambda i, j: Expectation(Normal(x, 0, 1), x ** (i + j)))
derivation.chain(
    "How the critic's outputs vary over data that are standard normal",
    moments,
    equals(
        _G,
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
_M = Matrix([[0, 0], [1, 0], [0, 2]])


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
    cases = (("kl", 1, 1), ("gan", Rational(1, 2), Rational(1, 2)))
    found = [resting_jacobian((0.0, 0.0), name) for name, _, _ in cases]
    wanted = [np.array(_jacobian(slope_, curvature), dtype=np.float64) for _, slope_, curvature in cases]
    undamped = [np.array(_jacobian(slope_, curvature / 2), dtype=np.float64) for _, slope_, curvature in cases]
    return Sides(left=jnp.stack(found), right=np.stack(wanted), wrong={"half the damping": np.stack(undamped)})


derivation.symbol("J", "the Jacobian of the players' steps")
derivation.symbol(r"\lambda", "an eigenvalue of $J$")
eta = derivation.number(r"\eta", "the size of a step", positive=True)


derivation.chain(
    "A step of finite size must be small enough",
    plus((1 - eta * kappa / 2) ** 2, times(eta**2, a**2 - kappa**2 / 4)),
    equals(
        plus(1, -times(eta, kappa - eta * a**2)),
        r"the location $m$ meets the critic's slope $c_1$ only, so $\lambda^2 + \kappa\lambda + a^2$ divides the characteristic "
        r"polynomial. For $\kappa < 2a$ the first line is $|1 + \eta\lambda|^2$ for its roots $-\frac{\kappa}{2} \pm i "
        r"\sqrt{a^2 - \kappa^2/4}$",
        wrong={"half the damping": plus(1, -times(eta, kappa / 2 - eta * a**2))},
    ),
    so=r"For $\kappa < 2a$ the location's deviation shrinks if and only if $\eta < \kappa/a^2 = 1/f''(1)$: 1 for "
    r"Kullback-Leibler, 2 for the GAN. In general simultaneous steps converge near the solution if $\eta < -2\, \mathrm{Re} "
    r"\lambda / |\lambda|^2$ for every eigenvalue, and leave it if $\eta$ is larger than that for one.",
)


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
    slope_at = lambda loss: jax.grad(lambda v: loss(v[None], divergence="gan")[0])(-4.0)  # noqa: E731
    yield r"\text{the slope of the game's own loss}", slope_at(f_gan_generator_loss), "-0.018"
    yield r"\text{the slope of the alternative}", slope_at(f_gan_alternative_generator_loss), "-0.982"
    yield r"\eta \text{ for Kullback-Leibler at } \mu = 0,\ \ell = 0", largest_step((0.0, 0.0), "kl"), "1"
    yield r"\eta \text{ for Kullback-Leibler at } \mu = 2,\ \ell = 0.26", largest_step((2.0, 0.26), "kl"), "0.0285"


@derivation.figure(
    r"Left: simultaneous steps of the game for Kullback-Leibler, data at 0 with log-scale 0, started at $m = 0.3$: with $\eta "
    r"= 0.3$ the location and the critic's slope spiral into the solution, with $\eta = 1.1$ out of it. Right: the eigenvalues "
    r"times $\eta$ must be in the disc around -1.",
    panels=2,
)
def orbits_and_eigenvalues(left, right):
    jacobian = np.array(_jacobian(1, 1), dtype=np.float64)
    circle = np.exp(1j * np.linspace(0, 2 * math.pi, 100)) - 1
    right.plot(circle.real, circle.imag, color="gray")
    for size, mark in ((0.3, "o-"), (1.1, "s-")):
        states = [jnp.array([1.0, 0.0, 0.0, 0.3, 0.0])]
        for _ in range(20 if size < 1 else 12):
            states.append(states[-1] + size * steps(states[-1], (0.0, 0.0), "kl"))
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
    yield [largest_step((location, 0.26), "kl") for location in (0.7, 2.0, 3.0)], "0.139, 0.0285 and 0.0105"
    yield [largest_step((location, 0.26), "gan") for location in (0.7, 2.0, 3.0)], "0.279, 0.0571 and 0.021"
