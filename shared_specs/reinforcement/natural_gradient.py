"""Contracts of natural gradients (lecture 53)."""

import numpy as np

from shared_specs.rows import Agree, Anchor, Law, Recipe, Rejects, given, log_of, normal, uniform, zeros

LOGITS, FEATURES, VECTOR = normal(3, 4), normal(3, 2), normal(4, 2)
FAR = [[50.0, 0.0, -20.0, 3.0], [0.0, -40.0, -30.0, -35.0], [-50.0, 10.0, 10.5, 9.0]]
THREE = log_of([[0.5, 0.3, 0.2], [0.25, 0.25, 0.5]])
E_50 = 1.9287498479639178e-22  # e^-50 / (1 + e^-50)^2
ROUNDED = "diag(p) - p p^T, as it is written, is rounding where a policy is nearly certain"
TARGET = normal(4)
SIZES = {"float64": (1e200, 1e-200), "float32": (1e25, 1e-25)}
HARD = np.array([[3.0, 1.0], [1.0, 2.0]])


def summed(v):
    """C^T C v, where C v are the sums of the entries so far: positive definite, [[2, 1], [1, 1]] for two entries."""
    sums = v.cumsum(0)
    return sums.sum() - sums.cumsum(0) + sums


def damped(v):
    """The same and v: [[3, 1], [1, 2]] for two entries."""
    return summed(v) + v


def nothing(v):
    """The matrix of zeros."""
    return 0.0 * v


def negative(v):
    """No direction has a positive curvature."""
    return -v


def one_number(v):
    """A product of another shape."""
    return v.sum()


def hill(x):
    """Highest at 1 in every entry."""
    return 4.0 - ((x - 1.0) ** 2).sum()


def flat(x):
    """Never better than it was."""
    return 0.0 * x.sum()


def far(x):
    """Half the squared distance from 0."""
    return (x * x).sum() / 2


def for_each(x):
    """A number for every parameter."""
    return x * x


def curved(size):
    """A symmetric positive definite matrix."""

    def draw(rng):
        root = rng.standard_normal((size, size))
        return root @ root.T + np.eye(size)

    return Recipe(draw)


def _search(case, parameters, step, maximum_kl, kl=far, objective=hill, **more):
    return Agree(
        "backtracking_line_search",
        case,
        given(parameters=parameters, step=step, objective_fn=objective, kl_fn=kl, maximum_kl=maximum_kl, **more),
    )


SPEC = (
    Agree("softmax_fisher", "regular", given(logits=LOGITS)),
    Agree("softmax_fisher", "logits far apart", given(logits=FAR), edge=ROUNDED),
    Agree("softmax_fisher", "logits near 1000", given(logits=normal(3, 4, mean=1000.0))),
    Agree("softmax_fisher", "an action that is never taken", given(logits=[[0.5, -np.inf, 1.0], [0.0, 2.0, -np.inf]])),
    Anchor(
        "softmax_fisher", "three actions, twice", given(logits=THREE), source="by hand",
        gives=[[[0.25, -0.15, -0.1], [-0.15, 0.21, -0.06], [-0.1, -0.06, 0.16]],
               [[0.1875, -0.0625, -0.125], [-0.0625, 0.1875, -0.125], [-0.125, -0.125, 0.25]]],
        near_misses={"without the mean of the score": [np.diag([0.5, 0.3, 0.2]), np.diag([0.25, 0.25, 0.5])],
                     "the product added": [[[0.75, 0.15, 0.1], [0.15, 0.39, 0.06], [0.1, 0.06, 0.24]],
                                           [[0.3125, 0.0625, 0.125], [0.0625, 0.3125, 0.125], [0.125, 0.125, 0.75]]],
                     "the product alone": [[[0.25, 0.15, 0.1], [0.15, 0.09, 0.06], [0.1, 0.06, 0.04]],
                                           [[0.0625, 0.0625, 0.125], [0.0625, 0.0625, 0.125], [0.125, 0.125, 0.25]]],
                     "in the probabilities: diag 1/p": [np.diag([2.0, 10 / 3, 5.0]), np.diag([4.0, 4.0, 2.0])]},
    ),
    Anchor("softmax_fisher", "nearly certain: e^-50", given(logits=[[50.0, 0.0]]), source="mpmath",
           gives=[[[E_50, -E_50], [-E_50, E_50]]], near_misses={"1 - p rounded to 0": [[[0.0, -E_50], [-E_50, E_50]]]},
           edge=ROUNDED),
    Law.equal("its rows sum to zero: a constant in the logits is no direction", given(logits=LOGITS),
              left=lambda f, logits: f.softmax_fisher(logits).sum(axis=2), right=0.0),
    Law.equal(
        "it is the mean of the score's outer product", given(logits=LOGITS),
        left=lambda f, logits: f.softmax_fisher(logits),
        right=lambda f, logits: np.einsum("sa,sab,sac->sbc", _softmax(logits), *2 * [np.eye(4) - _softmax(logits)[:, None]]),
    ),
    Law.at_least("no direction has a negative length", given(logits=LOGITS, direction=normal(4)),
                 left=lambda f, logits, v: np.einsum("a,sab,b->s", v, f.softmax_fisher(logits), v), right=0.0),
    # Its product with a vector, over the states of a batch.
    *(Agree("linear_fisher_vector_product", case, given(**{"vector": VECTOR, "features": FEATURES, "logits": LOGITS} | changed,
                                                         damping=damping), smallest_batch=1)
      for case, damping, changed in (
          ("regular", 0.1, {}),
          ("no damping", 0.0, {}),
          ("logits far apart", 1e-3, {"logits": FAR}),
          ("an action that is never taken", 0.1, {"logits": [[0.5, -np.inf, 1.0, 0.0], [0.0, 2.0, -np.inf, 1.0], [1.0] * 4]}),
      )),
    Anchor(
        "linear_fisher_vector_product", "two actions, as likely",
        given(vector=[[1.0, 0.0], [0.0, 1.0]], features=[[1.0, 0.0], [1.0, 2.0]], logits=zeros(2, 2), damping=0.1),
        gives=[[0.1, -0.25], [0.0, 0.35]], source="by hand",
        near_misses={"damping subtracted": [[-0.1, -0.25], [0.0, 0.15]], "the sum over the states": [[0.1, -0.5], [0.0, 0.6]],
                     "without the mean of the score": [[0.6, 0.5], [0.5, 1.1]], "no damping": [[0.0, -0.25], [0.0, 0.25]],
                     "damping of the features, too": [[0.2, -0.05], [0.0, 0.45]]},
    ),
    Law.equal(
        "it is the mean over the states of the matrix, times the vector",
        given(vector=VECTOR, features=FEATURES, logits=LOGITS),
        left=lambda f, v, phi, logits: f.linear_fisher_vector_product(v, phi, logits, damping=0.3),
        right=lambda f, v, phi, logits: (
            np.einsum("sab,bk,sk,sj->aj", f.softmax_fisher(logits), v, phi, phi) / len(phi) + 0.3 * v
        ),
    ),
    Law.equal(
        "it is symmetric", given(vector=VECTOR, other=normal(4, 2), features=FEATURES, logits=LOGITS),
        left=lambda f, v, w, *state: (w * f.linear_fisher_vector_product(v, *state, damping=0.3)).sum(),
        right=lambda f, v, w, *state: (v * f.linear_fisher_vector_product(w, *state, damping=0.3)).sum(),
    ),
    # Conjugate gradients.
    *(Agree("conjugate_gradient", case, given(**{"target": TARGET, "matvec_fn": summed} | changed))
      for case, changed in (
          ("regular", {"iterations": 2}),
          ("as many iterations as entries", {"matvec_fn": damped, "iterations": 4}),
          ("more iterations than entries", {"matvec_fn": damped, "iterations": 7}),
      )),
    Agree("conjugate_gradient", "a target of zeros", given(target=zeros(4), matvec_fn=summed, iterations=3),
          no_gradient="the steps go along the target, which has no direction"),
    Anchor(
        "conjugate_gradient", "[[3, 1], [1, 2]], one iteration", given(target=[1.0, 1.0], matvec_fn=damped, iterations=1),
        gives=[2 / 7, 2 / 7], source="by hand",
        near_misses={"the target itself": [1.0, 1.0], "a step of the inverse trace": [0.2, 0.2], "two iterations": [0.2, 0.4]},
    ),
    Anchor(
        "conjugate_gradient", "[[3, 1], [1, 2]], two iterations", given(target=[1.0, 1.0], matvec_fn=damped, iterations=2),
        gives=[0.2, 0.4], source="by hand",
        near_misses={"steepest descent": [0.19047619047619047, 0.38095238095238093],
                     "old and new exchanged in the coefficient": [0.285833, 0.285834], "one iteration": [2 / 7, 2 / 7]},
    ),
    Anchor(
        "conjugate_gradient", "a residual of 1/7 is small enough", given(
            target=[100.0, 100.0], matvec_fn=damped, iterations=2, tolerance=0.2),
        gives=[200 / 7, 200 / 7], source="by hand",
        near_misses={"not relative to the target, or to the end": [20.0, 40.0], "not begun": [0.0, 0.0]},
    ),
    Law.equal("as many iterations as entries solve the equation", given(target=TARGET),
              left=lambda f, b: damped(f.conjugate_gradient(b, damped, iterations=4)), right=lambda f, b: b),
    Law.equal("a target with a square that overflows or vanishes has a solution of its size", given(target=TARGET),
              left=lambda f, b: np.stack([f.conjugate_gradient(b * c, summed, iterations=2) / c for c in SIZES[f.precision]]),
              right=lambda f, b: np.stack(2 * [f.conjugate_gradient(b, summed, iterations=2)])),
    Law.at_least(
        "every iteration comes nearer, in the norm of A", given(target=TARGET),
        left=lambda f, b: np.array([_distance(f.conjugate_gradient(b, summed, iterations=n), b) for n in (1, 2)]),
        right=lambda f, b: np.array([_distance(f.conjugate_gradient(b, summed, iterations=n), b) for n in (2, 3)]),
    ),
    # Steps.
    Agree("natural_step", "regular", given(gradient=TARGET, fisher=curved(4), maximum_kl=0.01)),
    Agree("natural_step", "one parameter", given(gradient=[-0.3], fisher=[[0.5]], maximum_kl=0.02),
          differentiate=("fisher",)),  # nothing but the gradient's sign matters
    Agree("natural_step", "a gradient near 1e-25", given(gradient=normal(4, scale=1e-25), fisher=curved(4), maximum_kl=0.01),
          differentiate=("fisher",)),  # the slope in the gradient is near 1e25
    Agree("natural_step", "no gradient", given(gradient=zeros(4), fisher=curved(4), maximum_kl=0.01),
          no_gradient="the step has the length set by maximum_kl, in an arbitrary direction"),
    Anchor(
        "natural_step", "[[3, 1], [1, 2]]", given(gradient=[1.0, 1.0], fisher=HARD, maximum_kl=0.1),
        gives=[0.11547005383792516, 0.23094010767585033], source="by hand: F^-1 g = (1/5, 2/5), g^T F^-1 g = 3/5",
        near_misses={"along the plain gradient, as far as sqrt(2 delta)": [0.31622776601683794, 0.31622776601683794],
                     "along the plain gradient, to the bound": [0.1690308509, 0.1690308509],
                     "the quotient without its root": [0.0666666667, 0.1333333333],
                     "delta in place of 2 delta": [0.0816496581, 0.1632993162], "the natural gradient itself": [0.2, 0.4],
                     "divided by g^T F g": [0.0338061702, 0.0676123404]},
    ),
    Law.equal(
        "it meets the bound with equality", given(gradient=TARGET, fisher=curved(4)),
        left=lambda f, g, fisher: _quadratic(f.natural_step(g, fisher, maximum_kl=0.03), fisher), right=0.03,
    ),
    Law.at_least(
        "no step within the bound gains more", given(gradient=TARGET, fisher=curved(4), others=normal(50, 4)),
        left=lambda f, g, fisher, others: g @ f.natural_step(g, fisher, maximum_kl=0.03),
        right=lambda f, g, fisher, others: np.array(
            [g @ s * np.sqrt(0.03 / _quadratic(s, fisher)) for s in others]).max(),
    ),
    Law.equal(
        "in other parameters, theta = M phi, it is the same step", given(gradient=TARGET, fisher=curved(4), change=curved(4)),
        left=lambda f, g, fisher, m: m @ f.natural_step(m.T @ g, m.T @ fisher @ m, maximum_kl=0.03),
        right=lambda f, g, fisher, m: f.natural_step(g, fisher, maximum_kl=0.03),
    ),
    # The line search.
    _search("regular", uniform(3, low=-0.2, high=0.2), uniform(3, low=0.5, high=0.8), 0.1),
    _search("other fractions", uniform(3, low=-0.2, high=0.2), uniform(3, low=0.7, high=0.9), 0.05, shrink=0.7, attempts=20),
    _search("too few attempts", uniform(3, low=-0.2, high=0.2), uniform(3, low=1.0, high=1.2), 0.05, attempts=2),
    _search("nothing is better", normal(3), normal(3), 5.0, objective=flat),
    *(
        Anchor(
            "backtracking_line_search", case,
            given(parameters=[0.0, 0.5], step=[2.5, 1.0], objective_fn=objective, kl_fn=far, maximum_kl=maximum_kl, **more),
            gives=([2.5 * taken, 0.5 + taken], taken), source="by hand",
            near_misses={name: ([2.5 * c, 0.5 + c], c) for name, c in wrong.items()},
        )
        for case, objective, maximum_kl, more, taken, wrong in (
            ("the bound decides", hill, 0.5, {}, 0.25, {"the objective alone": 0.5, "the first attempt": 1.0, "not taken": 0.0}),
            ("the objective decides", hill, 10.0, {}, 0.5, {"the divergence alone": 1.0, "not taken": 0.0}),
            ("thirds", hill, 0.8, {"shrink": 1 / 3}, 1 / 3, {"halves": 0.25, "the next": 1 / 9}),
            ("two attempts are too few", hill, 0.5, {"attempts": 2}, 0.0, {"one more": 0.25, "the last": 0.5}),
            ("no attempt is better", flat, 10.0, {}, 0.0, {"as good will do": 1.0, "the last attempt": 2.0**-9}),
        )
    ),
    Rejects("softmax_fisher", "one policy without its axis", given(logits=zeros(3)), blames="logits"),
    *(Rejects("linear_fisher_vector_product", case, given(
        **{"vector": zeros(4, 2), "features": zeros(3, 2), "logits": zeros(3, 4), "damping": 0.1} | changed), blames=blames)
      for case, changed, blames in (
          ("negative damping", {"damping": -0.1}, "damping"),
          ("no state", {"features": zeros(0, 2), "logits": zeros(0, 4)}, "features"),
          ("features of another size", {"features": zeros(3, 5)}, "vector"),
          ("logits of another number of actions", {"logits": zeros(3, 5)}, "logits"),
      )),
    *(Rejects("conjugate_gradient", case, given(**{"target": [1.0, 2.0], "matvec_fn": summed, "iterations": 2} | changed),
              blames=blames)
      for case, changed, blames in (
          ("no iteration", {"iterations": 0}, "iterations"),
          ("a negative tolerance", {"tolerance": -1e-3}, "tolerance"),
          ("a product of another shape", {"matvec_fn": one_number}, "matvec_fn"),
          ("a matrix that is not positive definite", {"matvec_fn": negative}, "matvec_fn"),
          ("a matrix of zeros", {"matvec_fn": nothing}, "matvec_fn"),
          ("a target with two axes", {"target": zeros(2, 2)}, "target"),
      )),
    *(Rejects("natural_step", case, given(**{"gradient": [1.0, 1.0], "fisher": HARD, "maximum_kl": 0.1} | changed), blames=blames)
      for case, changed, blames in (
          ("no divergence allowed", {"maximum_kl": 0.0}, "maximum_kl"),
          ("the matrix of two logits, which is singular", {"fisher": [[0.25, -0.25], [-0.25, 0.25]]}, "fisher"),
          ("a matrix that is not positive", {"fisher": [[1.0, 2.0], [2.0, 1.0]]}, "fisher"),
          ("a matrix that is not symmetric", {"fisher": [[3.0, 1.0], [0.0, 2.0]]}, "fisher"),
          ("a matrix of another size", {"fisher": np.eye(3)}, "fisher"),
      )),
    *(Rejects("backtracking_line_search", case, given(
        **{"parameters": zeros(2), "step": zeros(2), "objective_fn": hill, "kl_fn": far, "maximum_kl": 0.1} | changed),
        blames=blames)
      for case, changed, blames in (
          ("a step of another size", {"step": zeros(3)}, "step"),
          ("no divergence allowed", {"maximum_kl": -1.0}, "maximum_kl"),
          ("a step that does not shrink", {"shrink": 1.0}, "shrink"),
          ("no attempt", {"attempts": 0}, "attempts"),
          ("an objective for every parameter", {"objective_fn": for_each}, "objective_fn"),
          ("a divergence for every parameter", {"kl_fn": for_each}, "kl_fn"),
      )),
)  # fmt: skip


def _softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _distance(x, b):
    """|x - A^-1 b|_A^2, and a constant: x^T A x - 2 b^T x."""
    return x @ summed(x) - 2 * b @ x


def _quadratic(step, fisher):
    return step @ fisher @ step / 2
