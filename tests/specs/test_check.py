"""The checker itself: every word passes on a truth and is seen to fail, and a row that could not fail is refused."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from shared_specs.checking.check import Checker
from shared_specs.checking.implementation import Fault, Implementation, detect_backend
from shared_specs.checking.reference import Traced
from shared_specs.checking.tolerance import ratio
from shared_specs.checking.trial import RowFault
from shared_specs.rows import Agree, Anchor, Cancels, Law, Rejects, bits, given, integers, linspace, log_simplex, normal, uniform
from theory_jax.arguments import require_values

pytestmark = pytest.mark.xdist_group("check")


class Right:
    """A small toy topic: an affine bijection, a soft maximum, a sampler."""

    def affine(x, *, scale):
        if not scale > 0:
            raise ValueError(f"scale is {scale}; it must be positive")
        return scale * x, jnp.full(x.shape[0], x.shape[1] * jnp.log(scale), x.dtype)

    def soft_maximum(x):
        return jnp.log(jnp.mean(jnp.exp(x), axis=-1))

    def step(x, threshold):
        return (x > threshold).astype(x.dtype)


class Torch:
    """The same in PyTorch."""

    def affine(x, *, scale):
        if not scale > 0:
            raise ValueError(f"scale is {scale}; it must be positive")
        return scale * x, torch.full((x.shape[0],), x.shape[1] * np.log(scale), dtype=x.dtype)

    def soft_maximum(x):
        return x.exp().mean(-1).log()

    def step(x, threshold):
        return (x > threshold).to(x.dtype)


REFERENCE = Traced(lambda name: getattr(Right, name))


def failures(row, precision="float64", **wrong):
    """The failing results of one row on the torch topic, with some functions replaced."""
    implementation = Implementation(lambda name: wrong.get(name) or getattr(Torch, name), "torch", precision)
    return [result for result in Checker("toy/topic", implementation, REFERENCE, spec=()).run([row]) if not result.passed]


X = given(x=normal(5, 3))
AGREE = Agree("soft_maximum", "regular", X)
ANCHOR = Anchor(
    "soft_maximum",
    "equal entries",
    given(x=[[2.0, 2.0], [0.0, 0.0]]),
    gives=[2.0, 0.0],
    source="by hand",
    near_misses={"sum for mean": [2.6931471805599453, 0.6931471805599453]},
)
WRONG_GRADIENT = dict(soft_maximum=lambda x: x.exp().mean(-1).log().detach() + (x - x.detach()).max(-1).values)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_agree(precision):
    """A right form passes; a wrong value, gradient, shape, dtype or kind of result does not."""
    assert failures(AGREE, precision) == []
    assert [r.quantity for r in failures(AGREE, precision, soft_maximum=lambda x: x.exp().sum(-1).log())][0] == "value"
    assert {r.quantity for r in failures(AGREE, precision, **WRONG_GRADIENT)} >= {"gradient x"}
    for wrong, reason in (
        (lambda x: x.exp().mean(-1, keepdim=True).log(), "shape"),
        (lambda x: x.exp().mean().log(), "shape"),
        (lambda x: x.exp().mean(-1).log().to(torch.float16), "float16"),
        (lambda x: None, "None"),
        (lambda x: x.exp().mean(-1).log().tolist(), "list"),
        (lambda x: (x.exp().mean(-1).log(), x), "2 arrays"),
        (lambda y: y, "TypeError"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
    ):
        (failure,) = failures(AGREE, precision, soft_maximum=wrong)
        assert reason in failure.message


def test_a_check_that_refuses_good_values_is_detected_in_a_traced_function():
    """It runs only where there are values: not where arguments are traced, but where it closes over its arguments."""

    def choosy(x):
        require_values("x", x, lambda x: x < 1, "below 1")
        return Right.soft_maximum(x)

    (seen,) = Checker("toy/topic", Traced(lambda _: choosy), REFERENCE, spec=()).run([AGREE])
    assert (seen.quantity, seen.passed) == ("call", False)
    assert "it must be below 1" in seen.message


def test_a_module_that_a_trace_finds_first_is_imported_outside_of_it():
    """Otherwise module-level values are intermediates of that trace, and fail in later uses."""
    module = {}

    def find(name):
        module.setdefault("constant", 2 * jnp.ones(3))
        return lambda x: x * module["constant"]

    for call in (
        lambda wing: wing.call("f", {"x": np.ones(3)}),
        lambda wing: wing.value_and_vjp("f", {"x": np.ones(3)}, (("x",),), (np.ones(3),)),
    ):
        module.clear()
        call(Traced(find))
        np.testing.assert_array_equal(module["constant"], [2.0, 2.0, 2.0])


def test_central_differences_refuse_a_wrong_gradient_of_the_reference():
    """Agreement alone proves nothing: both backends could be wrong alike."""
    import jax

    def both_wrong(x):
        return jax.lax.stop_gradient(jnp.log(jnp.mean(jnp.exp(x), -1))) + jnp.mean(x - jax.lax.stop_gradient(x), -1)

    reference = Traced(lambda _: both_wrong)
    implementation = Implementation(
        lambda _: lambda x: x.exp().mean(-1).log().detach() + (x - x.detach()).mean(-1), "torch", "float64"
    )
    failed = [r.quantity for r in Checker("toy/topic", implementation, reference, spec=()).run([AGREE]) if not r.passed]
    assert failed == ["central differences"]


def test_anchor():
    """The literal answer, with the mistake named when it is a known one."""
    assert failures(ANCHOR) == []
    (failure,) = failures(ANCHOR, soft_maximum=lambda x: x.exp().sum(-1).log())
    assert failure.message.startswith("sum for mean")


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_an_anchor_holds_the_reference_too(precision):
    """Neither a wrong literal passes nor two wings that are wrong alike: the tolerance is about the reference's answer."""
    assert failures(replace(ANCHOR, gives=[2.0, 1e-3]), precision)
    assert failures(replace(ANCHOR, gives=[2.001, 0.0]), precision)
    wrong_alike = Traced(lambda _: lambda x: jnp.log(jnp.sum(jnp.exp(x), axis=-1)))
    implementation = Implementation(lambda _: lambda x: x.exp().sum(-1).log(), "torch", precision)
    (result,) = Checker("toy/topic", implementation, wrong_alike, spec=()).run([ANCHOR])
    assert not result.passed


def test_an_anchor_with_a_passing_near_miss_is_a_row_fault():
    """The tolerance in use must refuse every near miss."""
    row = Anchor(
        "soft_maximum", "lax", given(x=[[2.0, 2.0]]), gives=[2.0], source="", near_misses={"nothing wrong": [2.0 + 1e-16]}
    )
    with pytest.raises(RowFault, match="nothing wrong"):
        failures(row)
    lax = Anchor(
        "soft_maximum",
        "lax",
        given(x=[[2.0, 2.0]]),
        gives=[2.0],
        source="",
        near_misses={"off": [2.1]},
        cancels=Cancels(1e16, ""),
    )
    with pytest.raises(RowFault, match="off"):
        failures(lax)


def _shifted(f, x):
    return f.soft_maximum(x + 1.0)


LAWS = {
    "equal": (
        Law.equal("shift", X, left=_shifted, right=lambda f, x: f.soft_maximum(x) + 1.0),
        dict(soft_maximum=lambda x: 1.001 * x.exp().mean(-1).log()),
    ),
    "at_least": (
        Law.at_least("Jensen", X, left=lambda f, x: f.soft_maximum(x), right=lambda f, x: x.mean(-1)),
        dict(soft_maximum=lambda x: -((-x).exp().mean(-1).log() * -1.0)),
    ),
    "normalized": (
        Law.normalized("e^0", given(x=log_simplex(5, 3)), total=lambda f, x: np.exp(f.soft_maximum(x)) * 3),
        dict(soft_maximum=lambda x: x.exp().sum(-1).log()),
    ),
    "inverse": (
        Law.inverse(
            "there and back",
            X,
            round_trip=lambda f, x: f.affine(f.affine(x, scale=3.0)[0], scale=1 / 3.0)[0],
            start=lambda f, x: x,
        ),
        dict(affine=lambda x, *, scale: (scale * x + 1e-9, x[:, 0])),
    ),
    "log_determinant": (
        Law.log_determinant(
            "volume",
            X,
            log_determinant=lambda f, x: f.affine(x, scale=3.0)[1],
            jacobian=lambda f, x: np.einsum("bibj->bij", f.jacobian("affine", x, scale=3.0)),
        ),
        dict(affine=lambda x, *, scale: (scale * x, torch.full((len(x),), float(np.log(scale)), dtype=x.dtype))),
    ),
    "limit": (
        Law.limit(
            "near a constant",
            given(x=[[0.3, -0.2, 0.1]]),
            value=lambda f, h, x: f.soft_maximum(h * x) / h,
            at=(0.1, 0.03, 0.01),
            limit=lambda f, x: x.mean(-1),
            order=1,
        ),
        dict(soft_maximum=lambda x: 1.1 * x.exp().mean(-1).log()),
    ),
    "unbiased": (
        Law.unbiased(
            "the mean",
            given(center=uniform(3)),
            samples=lambda f, rng, n, center: f.affine(rng.standard_normal((n, 3)) + center, scale=1.0)[0],
            expected=lambda f, center: center,
            draws=40_000,
            detects=0.05,
        ),
        dict(affine=lambda x, *, scale: (x + 0.05, x[:, 0])),
    ),
    "gradient": (
        Law.equal("weights sum to one", X, left=lambda f, x: f.gradient("soft_maximum", x).sum(-1), right=1.0),
        dict(soft_maximum=lambda x: x.exp().mean(-1).log() * 1.01),
    ),
}


@pytest.mark.parametrize("word", LAWS)
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_every_law_word_passes_on_a_truth(word, precision):
    """In both precisions (orders are measured in float64 only)."""
    assert failures(LAWS[word][0], precision) == []


@pytest.mark.parametrize("word", LAWS)
def test_every_law_word_is_seen_to_fail(word):
    """Each relation on an implementation that breaks it."""
    row, wrong = LAWS[word]
    assert [r.word for r in failures(row, **wrong)] == ["Law"]


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_what_is_claimed_to_the_last_bit_has_no_tolerance(precision):
    """A truth is not rounded: were results moved by a bit to measure a tolerance, every such law would hold."""
    law = Law.equal("scale 1 changes nothing", X, left=lambda f, x: f.affine(x, scale=1.0)[0] == x, right=True)
    assert failures(law, precision) == []
    assert failures(law, precision, affine=lambda x, *, scale: (torch.nextafter(x, x + 1), x[:, 0])) != []


def test_a_law_that_compares_nothing_is_at_fault():
    """An empty comparison is not a pass."""
    with pytest.raises(RowFault, match="nothing"):
        failures(Law.equal("empty", X, left=lambda f, x: x[:0], right=lambda f, x: x[:0]))


def test_an_unbiasedness_that_could_not_see_its_bias_is_at_fault():
    """The miss rate is part of the promise."""
    row = Law.unbiased(
        "too few",
        given(center=uniform(3)),
        samples=lambda f, rng, n, c: rng.standard_normal((n, 3)) + c,
        expected=lambda f, c: c,
        draws=100,
        detects=0.05,
    )
    with pytest.raises(RowFault, match="promises"):
        failures(row)


def test_rejects():
    """The error must be a ValueError and must name the argument."""
    row = Rejects("affine", "scale is negative", given(x=normal(5, 3), scale=-1.0), blames="scale")
    assert failures(row) == []
    for wrong, reason in (
        (lambda x, *, scale: (scale * x, x[:, 0]), "accepted"),
        (lambda x, *, scale: [][1], "IndexError"),
        (lambda x, *, scale: torch.linalg.cholesky(torch.tensor([[scale]])), "LinAlgError"),
    ):
        (failure,) = failures(row, affine=wrong)
        assert reason in failure.message

    def blames_another(x, *, scale):
        raise ValueError("something is off")

    (failure,) = failures(row, affine=blames_another)
    assert "does not name scale" in failure.message


def test_frozen_arguments_stay_at_their_threshold():
    """Moving an input across a jump would make the tolerance as large as the jump."""
    case = given(x=[[0.5, 0.25], [1.0, 0.5]], threshold=[0.5])
    right = Agree("step", "at the threshold", case, no_gradient="a step", frozen=("x", "threshold"))
    wrong = dict(step=lambda x, threshold: (x >= threshold).to(x.dtype))
    assert failures(right) == []
    assert failures(right, **wrong) != []
    assert failures(Agree("step", "moved", case, no_gradient="a step"), **wrong) == []


def test_infinities_must_be_met_and_nan_never_is():
    """Results that overflow the precision must be infinite."""
    assert ratio([np.inf], [np.inf], [1.0], "float64") == 0
    assert ratio([1e300], [np.inf], [1.0], "float64") == np.inf
    assert ratio([np.nan], [np.nan], [1.0], "float64") == np.inf
    assert ratio([np.nan], [1.0], [np.inf], "float64") == np.inf
    assert ratio([np.inf], [1e39], [1.0], "float32") == 0
    assert ratio([1.0], [1.0], [0.0], "float64") == 0
    assert ratio([1.0 + 1e-16 * 4], [1.0], [0.0], "float64") == np.inf


def test_recipes_are_the_same_on_every_machine():
    """Drawn from a seed made of names, not of Python's salted hashes."""
    drawn = given(x=normal(2, 3), y=normal(2, 3), labels=integers(3, high=5), mask=bits(4), grid=linspace(0, 1, 3)).draw("toy")
    assert not np.array_equal(drawn["x"], drawn["y"])
    np.testing.assert_allclose(drawn["x"][0], [-2.7791166390, 0.4809300787, 0.6583437588], atol=1e-9)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: np.exp(x), "numpy"),
        (lambda x: jnp.exp(x), "jax"),
        (lambda x: torch.exp(x), "torch"),
        (lambda x: x * x, "torch"),
        (eval("lambda x: x * x", {}), "numpy"),
        (lambda x: (torch.exp(x), x), "torch"),
    ],
)
def test_the_backend_is_detected_from_what_is_returned(function, name):
    """A function of operators alone counts as the framework of its file, and as NumPy if there is none."""
    assert detect_backend(function, {"x": np.ones((2, 3))}) == name


@pytest.mark.parametrize(
    ("function", "reason"), [(lambda x: None, "None"), (lambda x: [1.0], "list"), (lambda x: 1 / 0, "ZeroDivision")]
)
def test_what_is_no_array_has_no_backend(function, reason):
    """Said in one line."""
    with pytest.raises(Fault, match=reason):
        detect_backend(function, {"x": np.ones(2)})
