"""Integers of every width: what the rerun in uint8, int16 and int32 refuses, and that the specs ask for 255 where it matters."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from practice_torch.experiments.language.generation import generate
from practice_torch.networks.decoder_transformer import DecoderTransformer
from practice_torch.networks.linear_cross_entropy import LARGE
from practice_torch.networks.open_decoder import OpenDecoder, Positions
from shared_specs.backends.jax_network import Functional
from shared_specs.checking.arguments import leaves
from shared_specs.checking.check import Checker, spec_of
from shared_specs.checking.implementation import Implementation
from shared_specs.checking.reference import Traced
from shared_specs.checking.widths import narrowed
from shared_specs.rows import Agree, Anchor, Rejects, given
from shared_specs.syllabus import load
from theory_jax.arguments import require_values

pytestmark = pytest.mark.xdist_group("check")


def spread(codes, *, levels):
    """Codes 0..levels - 1 as whole numbers around 0, levels - 1 apart."""
    require_values("codes", codes, lambda c: (c >= 0) & (c < levels), f"in 0..{levels - 1}")
    return 2 * jnp.asarray(codes, int) - (levels - 1)


def right(codes, *, levels):
    codes = codes.long()
    if not ((codes >= 0) & (codes < levels)).all():
        raise ValueError("codes is outside 0..levels - 1")
    return 2 * codes - (levels - 1)


PLACES = torch.arange(-255, 256, 2)
CODES = Agree("spread", "all 256", given(codes=np.array([0, 100, 255]), levels=256))
FEW = Agree("spread", "four of 300", given(codes=np.array([0, 3, 1]), levels=300))
ANCHOR = Anchor("spread", "both ends", given(codes=[0, 255], levels=256), gives=[-255, 255], source="by hand")
TOO_HIGH = Rejects("spread", "a code too high", given(codes=[0, 3], levels=3), blames="codes")


def failures(row, wrong=right, **options):
    """(quantity, message) of what fails of a row on a torch function."""
    tested = Implementation(lambda _: wrong, "torch", "float64")
    checker = Checker("toy/topic", tested, Traced(lambda _: spread), spec=(), widths=True)
    return [(result.quantity, result.message) for result in checker.run([row]) if not result.passed]


@pytest.mark.parametrize("row", [CODES, FEW, ANCHOR, TOO_HIGH], ids=lambda row: row.case)
def test_a_function_that_computes_in_int64_passes(row):
    """Whatever the width of its argument."""
    assert failures(row) == []


@pytest.mark.parametrize("row", [CODES, FEW, ANCHOR], ids=lambda row: row.case)
def test_a_result_that_wraps_is_refused(row):
    """2 x 255 - 255 is 255 in uint8, and 2 x 0 - 255 is 1."""
    ((quantity, _),) = failures(row, lambda codes, *, levels: (2 * codes - (levels - 1)).long())
    assert quantity == "value in uint8"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda codes, *, levels: PLACES.gather(0, codes), "in uint8: RuntimeError"),
        (lambda codes, *, levels: PLACES[codes], "in uint8: IndexError"),
        (lambda codes, *, levels: right(codes, levels=levels).to(codes.dtype), "in uint8: returned uint8"),
    ],
    ids=["an index that must be int64", "an index that is taken for a mask", "a result as narrow as the argument"],
)
@pytest.mark.filterwarnings("ignore:indexing with dtype torch.uint8")  # which is the point of one of them
def test_a_call_that_fails_names_the_width(wrong, reason):
    """So that a reader sees at once that int64 passed."""
    ((quantity, message),) = failures(CODES, wrong)
    assert quantity == "call"
    assert reason in message


def test_bad_input_is_refused_in_every_width():
    """2 - 3 is 255 in uint8, which is not below 0."""

    def subtracts_in_uint8(codes, *, levels):
        if (levels - 1 - codes < 0).any():
            raise ValueError("codes is above levels - 1")
        return codes

    assert failures(TOO_HIGH, subtracts_in_uint8) == [("rejects in uint8", "accepted bad input (a code too high)")]


def test_a_width_that_cannot_hold_an_array_leaves_it():
    """-1 fits no uint8, 300 neither; the other arrays of the row are narrowed all the same."""
    arguments = {"tokens": np.array([0, 255]), "merges": (np.array([300]), np.array([-1])), "logits": np.zeros(2), "scale": 3}
    dtypes = [(w, [leaf.dtype.name for _, leaf in leaves(a) if isinstance(leaf, np.ndarray)]) for w, a in narrowed(arguments)]
    assert dtypes == [
        ("uint8", ["uint8", "int64", "int64", "float64"]),
        ("int16", ["int16", "int16", "int16", "float64"]),
        ("int32", ["int32", "int32", "int32", "float64"]),
    ]
    assert list(narrowed({"logits": np.zeros(2), "mask": np.array([True]), "scale": 3})) == []


def looked_up(codes, table):
    return table[jnp.asarray(codes, int)]


def looked_up_after_a_step(codes, table):
    return table[jnp.asarray(codes + 1, int)]


class LookedUp(nnx.Module):
    """A network that is one of these functions."""

    def __init__(self, function):
        self.function, self.table = function, nnx.Param(jnp.arange(300.0))

    def __call__(self, codes):
        return self.function(codes, self.table.get_value())


@pytest.mark.parametrize(("function", "same"), [(looked_up, True), (looked_up_after_a_step, False)])
def test_jax_networks_are_run_in_every_width(function, same):
    """In uint8, 255 + 1 is 0."""
    twin = Functional(LookedUp(function), {})
    parameters = {"table": np.arange(300.0)}
    (narrow,), (wide,) = (twin.outputs_by_numpy(parameters, (np.array([0, 255], t),)) for t in ("uint8", "int64"))
    assert np.array_equal(narrow, wide) is same


@pytest.mark.parametrize(("function", "quantities"), [(looked_up, []), (looked_up_after_a_step, ["value in uint8"])])
def test_jax_functions_are_held_to_the_same(function, quantities):
    """Their values in every width are compared, too."""
    implementation = Traced(lambda _: function)
    row = Agree("function", "up to 255", given(codes=np.array([0, 255]), table=np.arange(300.0)))
    results = Checker("toy/topic", implementation, implementation, spec=(), widths=True).run([row])
    assert [result.quantity for result in results if not result.passed] == quantities
    assert {result.quantity for result in results} >= {"value in uint8", "value in int16", "value in int32"}


def test_every_function_of_integers_is_tried_at_the_edge_of_eight_bits():
    """255 is the last token of 256, and 256 is 0 in uint8: some row of each function holds a 255 and nothing above it.

    Left out are functions of 0 and 1, and those of a schedule: its levels are checked and looked up in one place, which
    forward_sample covers.
    """
    missing = []
    for topic in load().built:
        seen = {}
        for row in spec_of(topic.path):
            if isinstance(row, Agree | Anchor) and (row.function == "forward_sample" or "alpha_bar" not in row.given.arguments):
                arguments = row.given.draw(f"{topic.path}/{row.function}/{row.case}")
                arrays = [a for _, a in leaves(arguments) if isinstance(a, np.ndarray) and a.dtype.kind in "iu" and a.size]
                seen.setdefault(row.function, set()).update(int(a.max()) for a in arrays)
        missing += [(topic.path, name) for name, largest in seen.items() if largest - {0, 1} and 255 not in largest]
    assert missing == []


@pytest.mark.parametrize("width", ["uint8", "int16", "int32"])
def test_what_is_trained_on_narrow_tokens_is_what_is_trained_on_int64(width):
    """Logits, losses with and without a table of all logits, and text that goes on in tokens beyond the width of its start."""
    torch.manual_seed(0)
    tokens = torch.tensor([[0, 255, 3], [254, 1, 255]])
    narrow = tokens.to(getattr(torch, width))
    for size in (300, LARGE):
        network = DecoderTransformer(vocabulary_size=size, context_length=6, width=4, layers=1, heads=2).double()
        assert torch.equal(network(narrow), network(tokens))
        assert torch.equal(network(narrow, narrow), network(tokens, tokens))

    def last(logits, tokens):
        return torch.full((len(logits),), logits.shape[1] - 1)

    assert generate(network, narrow, 2, last).tolist() == [[0, 255, 3, LARGE - 1, LARGE - 1], [254, 1, 255, LARGE - 1, LARGE - 1]]
    open_decoder = OpenDecoder(vocabulary_size=256, width=4, layers=1, heads=2, positions=Positions()).double()
    assert torch.equal(open_decoder(narrow), open_decoder(tokens))
