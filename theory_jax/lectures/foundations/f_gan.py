"""f-GAN: generation by minimizing a variational divergence.

The lecture on the functions of theory_jax/foundations/f_gan.py.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import sympy
from sympy import ImmutableMatrix, Matrix, Rational, exp, log

from theory_jax.derivation.chains import at_most, equals
from theory_jax.derivation.kinds import Sides
from theory_jax.derivation.lecture import Derivation
from theory_jax.derivation.notation import Expectation, Normal, Slope, Total, plus, times
from theory_jax.derivation.parts import do
from theory_jax.derivation.prose import holds, prose
from theory_jax.derivation.unspecified import function
from theory_jax.foundations.f_divergence import f_divergence
from theory_jax.foundations.f_gan import (
    f_gan_alternative_generator_loss,
    f_gan_critic_loss,
    f_gan_generator_loss,
    location_scale_generator,
    quadratic_critic,
)
from theory_jax.foundations.fenchel_conjugate import output_activation
from theory_jax.lectures.foundations._gaussian_game import draw_orbits, largest_step, resting_jacobian, step_together
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
    question="A critic can bound a divergence between data and model from samples. Train a generator against it, and the two "
    "may circle for ever or diverge; early in training, when the critic tells every fake from the data, the generator's "
    "gradient may vanish. Which slope does the generator get from a critic, when does it vanish, and where do the steps go?",
    setting=(
        r"The data are distributed as $p$, the model's samples as $q_\theta$, both on finitely many points and positive, until "
        "the game of Gaussians. $f$ is a smooth, strictly convex function, $f^*$ its conjugate, $D_f$ its divergence of the "
        "data from the model.",
        "A network gives every point a real number $v$; the output map $g_f$ makes it the critic's value $g_f(v)$, called $T$, "
        "in the domain of $f^*$. The slope of $f^*$ there is the ratio $w$ that the critic claims: $T$ is $f'(w)$, and $f^*(T)$ "
        "is $w f'(w) - f(w)$.",
        r"The value $F$ of the game is $\mathbb{E}_p[T] - \mathbb{E}_{q_\theta}[f^*(T)]$. The critic descends "
        r"$f^*(g_f(v_{\text{fake}})) - g_f(v_{\text{real}})$. The generator descends $-f^*(g_f(v_{\text{fake}}))$, or, as an "
        r"alternative, $-g_f(v_{\text{fake}})$.",
    ),
    limits=(
        "Global convergence of the game.",
        "Alternating steps beyond the location's two eigenvalues, optimizers with momentum, and noise of minibatches.",
        "Networks: the stability analysis is for a critic that is linear in its parameters and Gaussians.",
    ),
)

k = derivation.index("k", "a point")
p = derivation.law("p", k, "the data", "exp(log_probs_p)")
f = derivation.function("f", "a smooth, strictly convex function")
slope = function("f", 1)
theta = derivation.number(r"\theta", "a parameter of the model")
q = derivation.law("q", k, r"the model at $\theta$ zero", "exp(log_probs_q)")
h = derivation.numbers("h", k, "how the parameter acts on the logits: any direction")
moved = derivation.define(
    r"q_\theta({})", q * exp(theta * h) / Total(k, q * exp(theta * h)), "the model", "exp(log_probs_q)", over=k, law=True
)
u = p / moved
divergence = derivation.define("D_f", Expectation(moved, f(u)), "the divergence of the data from the model", "f_divergence")
price = derivation.define(
    "f^*(T_{{{}}})",
    plus(times(u, slope(u)), -f(u)),
    "the conjugate at the best critic $T$, which claims the true ratio $w$, that of the data to the model",
    "-f_gan_generator_loss",
    over=k,
)
derivation.symbol("F", "the value of the game", "-f_gan_critic_loss")
derivation.say(
    "By the lecture on variational divergences $F$ is at most $D_f$ for every critic, and reaches it if and only if the critic "
    "claims the true ratio at every point. (A network can: $g_f$ covers all slopes of $f$, for every divergence of the topic "
    r"but total variation, whose best values $\pm\frac12$ the map $\frac12 \tanh v$ only approaches.) Suppose the critic is at "
    "its best. Then move the model."
)
move = Slope(moved, theta)
central = derivation.chain(
    "Against a perfect critic the generator descends the divergence",
    Slope(divergence, theta),
    equals(
        Total(k, plus(times(move, f(u)), -times(move, u, slope(u)))),
        prose(
            "the product rule, and the chain rule for $f$, in which {ratio}",
            ratio=holds(times(moved, Slope(u, theta)), "=", -times(move, u), wrong={"the sign": times(move, u)}),
        ),
    ),
    equals(
        -Total(k, times(move, price)),
        r"collect; what is left is the conjugate at the best critic",
        wrong={"the sign": Total(k, move * price), "the alternative loss": -Total(k, move * slope(u))},
    ),
    central=True,
    uses=(lower_bound,),
    states=2,
    so="The last line is the slope of the mean of the generator's loss, $-f^*(T)$, over the model's samples, with the critic "
    "frozen: only the samples move. That the best critic moves with the model has no effect to first order: this is the "
    "envelope theorem, here by calculation. So the generator may take its step through a frozen critic.",
)


def _slope_of_divergence(data, model, change):
    """How fast the divergence changes when the model's probabilities do."""

    of_model = lambda q: f_divergence(jnp.log(data[None]), jnp.log(q[None]), divergence="kl")[0]  # noqa: E731
    return jax.jvp(of_model, (model,), (change,))[1]


push = q * plus(h, -Expectation(q, h))
derivation.bridge(
    r"The divergence of the code has this slope, for Kullback-Leibler at $\theta$ zero, where the conjugate is the ratio",
    -Total(k, push * p / q),
    _slope_of_divergence,
    data=p,
    model=q,
    change=push,
    calls=(f_divergence,),
    wrong={"the sign": Total(k, push * p / q), "the alternative loss": -Total(k, push * log(p / q))},
)
derivation.say("That is the slope for a perfect critic. What does one fake feel, and is it ever nothing?")
v = derivation.number("v", "the output of a network", "v_fake")
s = derivation.number("s", "its output at a real sample", "v_real")
g = derivation.function("g_f", "the output map", "output_activation")
c_ = derivation.function(r"{f^*}", "the conjugate", "fenchel_conjugate")
g1, c1 = function("g_f", 1), function(r"{f^*}", 1)
derivation.chain(
    "The two generator losses differ by the claimed ratio",
    Slope(-c_(g(v)), v),
    equals(
        times(c1(g(v)), Slope(-g(v), v)),
        r"the chain rule; the first factor is the slope of the conjugate, the ratio $w$ that the critic claims",
        wrong={"squared": times(c1(g(v)) ** 2, Slope(-g(v), v))},
    ),
    so="As functions of $T$ the game's own loss weighs each fake by the ratio $w$ that the critic claims, and the alternative "
    "loss weighs all alike. They agree where that ratio is 1, as it is at the solution.",
)

derivation.say(
    r"Take the GAN's divergence. Its output map is the logarithm of the sigmoid $\sigma(v)$, its conjugate $-\log(1 - e^t)$."
)
derivation.symbol(r"\sigma(v)", "the sigmoid, $1/(1 + e^{-v})$")
softplus_up, softplus_down = log(1 + exp(v)), log(1 + exp(-v))
derivation.chain(
    "The game of the GAN's divergence is the original adversarial game",
    plus(log(1 / (1 + exp(-s))), log(1 - 1 / (1 + exp(-v)))),
    equals(
        plus(-log(1 + exp(-s)), -log(1 + exp(v))),
        prose(
            r"the first line is $\log \sigma(s) + \log(1 - \sigma(v))$, and {rest}",
            rest=holds(1 - 1 / (1 + exp(-v)), "=", 1 / (1 + exp(v)), wrong={"the sigmoid": 1 / (1 + exp(-v))}),
        ),
        wrong={"real and fake exchanged": plus(-log(1 + exp(-v)), -log(1 + exp(s)))},
    ),
    so=r"This is minus the binary cross entropy of a classifier that calls data 1 and fakes 0, with the logit $v$.",
    role="remark",
)
derivation.chain(
    "In the GAN's game the slope at a fake is, in size, the probability with which the critic calls it data; that of the "
    "alternative is the rest",
    Matrix([[Slope(-softplus_up, v), Slope(softplus_down, v)]]),
    equals(
        Matrix([[-1 / (1 + exp(-v)), -1 / (1 + exp(v))]]),
        r"that is $-\sigma(v)$ and $-\sigma(-v)$",
        wrong={"the sigmoids exchanged": Matrix([[-1 / (1 + exp(v)), -1 / (1 + exp(-v))]])},
    ),
    so=prose(
        "The first is $e^v$ times the second, {ratio}, and of size {small}. So early in training, when the critic is sure of "
        "every fake and $v$ falls without bound, the slope of the game's own loss goes to 0 exponentially in $v$, and that of "
        "the alternative to $-1$. At $v$ of $-4$ the generator's own loss has 1.8% of the slope 1, the alternative 98.2%.",
        small=holds(1 / (1 + exp(-v)), "<", exp(v), wrong={"half of it": exp(v) / 2}),
        ratio=holds(
            Slope(-softplus_up, v), "=", times(exp(v), Slope(softplus_down, v)), wrong={"one slope": Slope(softplus_down, v)}
        ),
    ),
)
_LOSSES = {
    "kl": (exp(v - 1), s),
    "reverse_kl": (v - 1, -exp(-s)),
    "squared_hellinger": (exp(v) - 1, 1 - exp(-s)),
    "gan": (log(1 + exp(v)), -log(1 + exp(-s))),
}


_CRITIC = Matrix([fake - real for fake, real in _LOSSES.values()])
_OWN, _OTHER = Matrix([-fake for fake, _ in _LOSSES.values()]), Matrix([-real.subs(s, v) for _, real in _LOSSES.values()])


def _losses(v_real, v_fake):
    critic = jnp.stack([f_gan_critic_loss(v_real, v_fake, divergence=name) for name in _LOSSES])
    codes = f_gan_generator_loss, f_gan_alternative_generator_loss
    return critic, *(jnp.stack([code(v_fake, divergence=name) for name in _LOSSES]) for code in codes)


derivation.bridge(
    "The code's losses of the critic and of the generator, and the alternative, for Kullback-Leibler, its reverse, Hellinger, "
    "GAN",
    (_CRITIC, _OWN, _OTHER),
    _losses,
    v_real=[s],
    v_fake=[v],
    calls=(f_gan_critic_loss, f_gan_generator_loss, f_gan_alternative_generator_loss),
    wrong={
        "real and fake exchanged": (_CRITIC.subs({s: v, v: s}, simultaneous=True), None, None),
        "the sign": (None, -_OWN, None),
        "the generator's own loss": (None, None, _OWN),
    },
)
derivation.bridge(
    "... and its output maps of these four",
    -_OTHER,
    lambda v: jnp.stack([output_activation(v, divergence=name) for name in _LOSSES]),
    v=[v],
    calls=(output_activation,),
    wrong={"the sign": _OTHER},
)

x = derivation.number("x", "a number on the line", "x")
m = derivation.number("m", "the location of the model", "location")
l = derivation.number("l", "its log-scale", "log_scale")  # noqa: E741 (the lecture's letter)
mu = derivation.number(r"\mu", "the location of the data")
nu = derivation.number(r"\nu", "the log-scale of the data")
coefficients = [derivation.number(f"c_{i}", f"the critic's coefficient of $x^{i}$", f"coefficients[{i}]") for i in range(3)]
noise = derivation.number("z", "standard normal noise", "z")
derivation.say(
    "A game small enough to be solved. The data are Gaussian, the generator $m + e^l z$ makes Gaussians from standard normal "
    "noise, and the critic's network is a quadratic function, $c_0 + c_1 x + c_2 x^2$."
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
data, model = Normal(x, mu, exp(2 * nu)), Normal(x, m, exp(2 * l))
derivation.chain(
    "The log-ratio of two Gaussian densities is quadratic, so a quadratic critic is rich enough for Kullback-Leibler and the GAN",
    plus(data.log_density(x), -model.log_density(x)),
    equals(
        plus(
            l - nu + m**2 / (2 * exp(2 * l)) - mu**2 / (2 * exp(2 * nu)),
            times(x, mu / exp(2 * nu) - m / exp(2 * l)),
            times(x**2, 1 / (2 * exp(2 * l)) - 1 / (2 * exp(2 * nu))),
        ),
        r"expand the squares and collect the powers of $x$",
        wrong={"data and model exchanged": plus(model.log_density(x), -data.log_density(x))},
    ),
    so=r"The best $v$ is $1 + \log(p/q)$ for Kullback-Leibler and $\log(p/q)$ for the GAN, so nothing is lost to the class.",
    role="lemma",
)
kappa = derivation.number(r"\kappa", r"the curvature $a^2 / f''(1)$ of the critic's loss", positive=True)
a = derivation.number("a", r"the slope of the output map at the resting output", positive=True)
g2, c2 = function("g_f", 2), function(r"{f^*}", 2)
curved = derivation.chain(
    "At rest the critic's loss is curved, by $a^2 / f''(1)$",
    Slope(plus(c_(g(v)), -g(v)), v, 2),
    equals(
        plus(times(c2(g(v)), g1(v) ** 2), times(c1(g(v)) - 1, g2(v))),
        r"the chain rule and the product rule",
        wrong={"the slope of the map not squared": plus(times(c2(g(v)), g1(v)), times(c1(g(v)) - 1, g2(v)))},
    ),
    role="lemma",
    so="At rest the data and the model agree, the claimed ratio $(f^*)'$ is 1, the second term vanishes, and $(f^*)''$ is "
    r"$1/f''(1)$ (the lecture on conjugates). With $a$ the slope of the map there, the curvature $\kappa$ is $a^2/f''(1)$. The "
    r"resting output is where $g_f$ is $f'(1)$: 1 for Kullback-Leibler, 0 for the GAN.",
)
features = ImmutableMatrix([[1, 0, 1], [0, 1, 0], [1, 0, 3]])
_M = Matrix([[0, 0], [1, 0], [0, 2]])


def _jacobian(slope_, curvature):
    """The Jacobian of the two players' steps at the solution, by its blocks."""
    top = (-curvature * features).row_join(-slope_ * _M)
    return top.col_join((slope_ * _M.T).row_join(sympy.zeros(2, 2)))


derivation.symbol("J", "the Jacobian of both players' steps, in $c_0, c_1, c_2, m, l$")
derivation.symbol("G", "the means over the data of the products of the features $1, x, x^2$")
derivation.symbol("M", "the slopes of the means of $1, x, x^2$ over the model, in $m$ and $l$")


@derivation.autodiff(
    r"J = \begin{pmatrix} -\kappa G & -a M \\ a M^\top & 0 \end{pmatrix}",
    because="Linearized at the solution, for standard normal data: the critic descends a valley with the curvature $\\kappa G$, "
    "and each player is pushed by how the other moves the critic's outputs at the fakes. By automatic differentiation of the "
    r"topic's losses, for Kullback-Leibler (both $a$ and $\kappa$ are 1) and the GAN (both are $\frac12$); the expectations are "
    "sums over the nodes of a Gauss rule, exact for polynomials.",
    role="lemma",
)
def the_code_has_this_jacobian():
    cases = (("kl", 1, 1), ("gan", Rational(1, 2), Rational(1, 2)))
    found = [resting_jacobian((0.0, 0.0), name) for name, _, _ in cases]
    wanted = [np.array(_jacobian(slope_, curvature), dtype=np.float64) for _, slope_, curvature in cases]
    undamped = [np.array(_jacobian(slope_, curvature / 2), dtype=np.float64) for _, slope_, curvature in cases]
    return Sides(left=jnp.stack(found), right=np.stack(wanted), wrong={"half the damping": np.stack(undamped)})


cs = [derivation.number(rf"\delta_{i}", f"how far the critic's $c_{i}$ is from its resting value") for i in range(3)]
_field = list(_jacobian(a, kappa) * sympy.Matrix([*cs, m, l]))
off = Expectation(Normal(x, 0, 1), plus(cs[0], cs[1] * x, cs[2] * x**2) ** 2)
damping = times(kappa, plus((cs[0] + cs[2]) ** 2, cs[1] ** 2, 2 * cs[2] ** 2))
derivation.chain(
    "Near the solution, for standard normal data, the players rotate, and only the critic's curvature damps the rotation",
    plus(
        *(
            times(deviation, change) if change.is_Add else deviation * change
            for deviation, change in zip([*cs, m, l], _field, strict=True)
        )
    ),
    equals(
        -times(kappa, off),
        r"the terms with $a$, by which each player pushes the other, cancel; what is left is $-\kappa\, \delta^\top G\, \delta$, "
        "the mean square of the critic's error over the data",
        wrong={"the coupling kept": -kappa * off + a * cs[1] * m},
    ),
    equals(
        -damping,
        prose(
            "the moments of a standard Gaussian: {fourth}",
            fourth=holds(Expectation(Normal(x, 0, 1), x**4), "=", 3, wrong={"twice the square": 2}),
        ),
    ),
    at_most(0, "add squares", adding=damping),
    so="The first line is half the rate at which the squared distance from the solution changes under infinitely small steps; "
    "for standard normal data $m$ and $l$ are the generator's own distances from it. The distance never grows. It is constant "
    r"only while $\delta$ is 0, and then the critic moves by $-a M (m, l)^\top$, which is 0 only at the solution: so every "
    "eigenvalue has a negative real part. Without curvature there would be no damping at all.",
)

derivation.symbol(r"\lambda", "an eigenvalue of $J$")
eta = derivation.number(r"\eta", "the size of a step", positive=True)
_FACTOR = plus((1 - eta * kappa / 2) ** 2, times(eta**2, a**2 - kappa**2 / 4))
together = derivation.chain(
    "Simultaneous steps of finite size converge near the solution if they are small enough",
    _FACTOR,
    equals(
        plus(1, -times(eta, kappa - eta * a**2)),
        r"the location $m$ meets the critic's slope $c_1$ only, so $\lambda^2 + \kappa\lambda + a^2$ divides the characteristic "
        r"polynomial. If $\kappa$ is below $2a$, the first line is $|1 + \eta\lambda|^2$ for its roots $-\frac{\kappa}{2} \pm i "
        r"\sqrt{a^2 - \kappa^2/4}$",
        wrong={"half the damping": plus(1, -times(eta, kappa / 2 - eta * a**2))},
    ),
    so=prose(
        r"If $\kappa$ is below $2a$, the location's deviation shrinks if and only if $\eta$ is below $\kappa/a^2$, where the "
        "factor is {one}. This bound is $1/f''(1)$: 1 for Kullback-Leibler, 2 for the GAN. In general simultaneous steps "
        r"converge near the solution if $\eta$ is below $-2\, \mathrm{Re} \lambda / |\lambda|^2$ for every eigenvalue, and "
        r"leave it if $\eta$ is larger than that for one. If they alternate instead, and the generator sees the critic's new "
        r"coefficients, the product of the eigenvalues of the location's step is {alternating}: what drove the spiral outwards, "
        r"$\eta^2 a^2$, is gone.",
        one=holds(plus(1, -times(eta, kappa - eta * a**2)), "=", 1, when={eta: kappa / a**2}, named=True),
        alternating=holds(
            (Matrix([[1, 0], [eta * a, 1]]) * Matrix([[1 - eta * kappa, -eta * a], [0, 1]])).det(),
            "=",
            1 - eta * kappa,
            named=True,
        ),
    ),
    role="remark",
)


derivation.answer = prose(
    "Against a perfect critic the slope of the generator's own loss is that of the divergence itself: {slope}. In the GAN's game "
    "its slope in the output at a fake is {own}, minus the probability with which the critic calls the fake data: it goes to 0 "
    "as the critic becomes sure. That of the alternative loss, {other}, does not, but is not the divergence's. The players of "
    "the game itself descend no common function: near the solution, here for standard normal data and a quadratic critic, they "
    "rotate around it, and spiral in because $f^*$ is curved, if their simultaneous steps are small enough. Nothing is shown "
    "about convergence from afar.",
    own=holds(Slope(-softplus_up, v), "=", -1 / (1 + exp(-v)), named=True),
    other=holds(Slope(softplus_down, v), "=", -1 / (1 + exp(v)), named=True),
    slope=holds(Slope(divergence, theta), "=", -Total(k, times(move, price)), wrong={"the sign": Total(k, times(move, price))}),
)


@derivation.algorithm(
    "f-GAN",
    do(r"draw real samples $x$ and noise $z$; fakes are $m + e^l z$", location_scale_generator),
    do(r"$v \leftarrow c_0 + c_1 x + c_2 x^2$, the critic's output, at real samples and at fakes", quadratic_critic),
    do(
        r"$g_c \leftarrow \nabla_c$ of the mean of $f^*(g_f(v_{\text{fake}})) - g_f(v_{\text{real}})$",
        f_gan_critic_loss,
        by=curved,
    ),
    do(r"$g_\theta \leftarrow \nabla_{m, l}$ of the mean of $-f^*(g_f(v_{\text{fake}}))$", f_gan_generator_loss, by=central),
    do(r"step both at once: $c \leftarrow c - \eta g_c$ and $(m, l) \leftarrow (m, l) - \eta g_\theta$", by=together),
)
def three_rounds():
    yield from step_together(location_scale_generator, quadratic_critic, f_gan_critic_loss, f_gan_generator_loss)


@derivation.example(
    "The GAN's divergence for data of the probabilities 0.75 and 0.25 and a model of 0.5 and 0.5, with the best critic and with "
    "an ignorant one; the slopes of both generator losses at a fake with the output $-4$; and the largest steps of the Gaussian "
    "game."
)
def two_points():
    def game(outputs):
        real, fake = jnp.array(outputs), jnp.array(outputs)
        pairs = f_gan_critic_loss(jnp.repeat(real, 2), jnp.tile(fake, 2), divergence="gan").reshape(2, 2)
        return -jnp.array([0.75, 0.25]) @ pairs @ jnp.array([0.5, 0.5])

    yield r"F \text{ at } v = \log(p/q)", game([math.log(1.5), math.log(0.5)]), "-1.3187"
    yield r"F \text{ at } v = 0", game([0.0, 0.0]), "-1.3863"
    slope_at = lambda loss: jax.grad(lambda v: loss(v[None], divergence="gan")[0])(-4.0)  # noqa: E731
    yield r"\text{the slope of the game's own loss}", slope_at(f_gan_generator_loss), "-0.018"
    yield r"\text{the slope of the alternative}", slope_at(f_gan_alternative_generator_loss), "-0.982"
    yield r"\eta \text{ for Kullback-Leibler at } \mu = 0,\ \nu = 0", largest_step((0.0, 0.0), "kl"), "1"
    yield r"\eta \text{ for Kullback-Leibler at } \mu = 2,\ \nu = 0.26", largest_step((2.0, 0.26), "kl"), "0.0285"


@derivation.figure(
    "The game of Kullback-Leibler: a generator that shifts and scales noise against a quadratic critic, both of which step at "
    r"once; the data are standard normal. Left: the model's location $m$, from 0.3, and the critic's slope $c_1$. With steps "
    r"$\eta$ of 0.3 they spiral into the solution, with steps of 1.1 out of it. Right: $\eta$ times the rates $\lambda$ at which "
    "deviations grow; they must be in the disc of radius 1 around $-1$.",
    panels=2,
)
def orbits_and_eigenvalues(left, right):
    draw_orbits(left, right, np.array(_jacobian(1, 1), dtype=np.float64))
    right.set_aspect("equal", adjustable="datalim")
