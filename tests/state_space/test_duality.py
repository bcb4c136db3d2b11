"""State-space duality compared with transformers' Mamba-2, the rank of its matrix, and the linear cost of chunks."""

import pytest
import torch

from practice_torch.state_space import duality as practice
from practice_torch.state_space.parallel_scan import recurrence_sequential

BATCH, STEPS, HEADS, WIDTH, GROUPS, STATES = 2, 24, 4, 3, 2, 5


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, LOG_DECAY = draw(BATCH, STEPS, HEADS, WIDTH), -draw(BATCH, STEPS, HEADS, seed=1).exp()
B, C = draw(BATCH, STEPS, GROUPS, STATES, seed=2), draw(BATCH, STEPS, GROUPS, STATES, seed=3)
INITIAL = draw(BATCH, HEADS, WIDTH, STATES, seed=4)


@pytest.fixture(scope="module")
def mamba2():
    return pytest.importorskip("transformers.models.mamba2.modeling_mamba2")


def test_segment_sums_are_those_of_transformers(mamba2):
    torch.testing.assert_close(practice.segment_sum(LOG_DECAY), mamba2.segment_sum(LOG_DECAY.mT), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("chunk", [1, 6, 24, 7])
def test_chunks_are_those_of_transformers(mamba2, chunk):
    """Its steps are separate, x is not multiplied by them yet, and it pads what does not divide. It computes in float32."""
    steps, rates = draw(BATCH, STEPS, HEADS, seed=5).exp(), -draw(HEADS, seed=6).exp()
    scan = getattr(mamba2.mamba2_chunk_scan, "__wrapped__", mamba2.mamba2_chunk_scan)
    wanted, last = scan(
        X.float(),
        steps.float(),
        rates.float(),
        B.float(),
        C.float(),
        chunk_size=chunk,
        initial_states=INITIAL.float(),
        return_final_states=True,
    )
    given = steps[..., None] * X, steps * rates, B, C
    outputs, state = practice.dual_recurrent(*given, INITIAL)
    torch.testing.assert_close(outputs.float(), wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(state.float(), last, rtol=1e-4, atol=1e-4)
    if STEPS % chunk == 0:
        outputs = practice.dual_recurrent(*given, 0 * INITIAL)[0]
        torch.testing.assert_close(practice.dual_chunked(*given, chunk=chunk), outputs, rtol=0, atol=1e-11)


def test_every_lane_is_the_scan_of_a_number():
    """h_(t, p, n) = a_t h_(t-1, p, n) + x_(t, p) B_(t, n), lane by lane."""
    each = B.repeat_interleave(HEADS // GROUPS, 2)
    inputs = X[..., None] * each[:, :, :, None]
    decay = LOG_DECAY.exp()[..., None, None].expand_as(inputs)
    states = recurrence_sequential(inputs.flatten(2), decay.flatten(2), INITIAL.flatten(1)).unflatten(2, inputs.shape[2:])
    outputs, last = practice.dual_recurrent(X, LOG_DECAY, B, C, INITIAL)
    read = torch.einsum("bthpn,bthn->bthp", states, C.repeat_interleave(HEADS // GROUPS, 2))
    torch.testing.assert_close(outputs, read, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(last, states[:, -1], rtol=1e-11, atol=1e-12)


def test_blocks_below_the_diagonal_have_the_rank_of_the_state():
    """The matrix of one head: 24 x 24, of full rank, while no block that the past and the future meet in exceeds rank 5."""
    matrix = torch.func.jacrev(
        lambda x: practice.dual_quadratic(x, LOG_DECAY[:1, :, :1], B[:1, :, :1], C[:1, :, :1])[0, :, 0, 0]
    )(X[:1, :, :1, :1])[:, 0, :, 0, 0]
    scaled = matrix / matrix.abs().amax()
    assert torch.linalg.matrix_rank(scaled, rtol=1e-14) == STEPS
    ranks = [int(torch.linalg.matrix_rank(matrix[middle:, : middle + 1], rtol=1e-12)) for middle in range(STEPS)]
    assert max(ranks) == STATES and ranks[0] == 1 and ranks[-1] == 1
    torch.testing.assert_close(matrix.det(), (B * C)[0, :, 0].sum(-1).prod(), rtol=1e-8, atol=0)


def test_an_empty_past_and_one_that_is_forgotten():
    """A decay of 0 cuts the sequence in two, with values and gradients that are numbers."""
    cut = LOG_DECAY.clone()
    cut[:, 12] = -torch.inf
    cut.requires_grad_()
    apart = torch.cat(
        [practice.dual_quadratic(*(a[:, part] for a in (X, LOG_DECAY, B, C))) for part in (slice(12), slice(12, 24))], 1
    )
    for outputs in (
        practice.dual_quadratic(X, cut, B, C),
        practice.dual_chunked(X, cut, B, C, chunk=8),
        practice.dual_recurrent(X, cut, B, C, 0 * INITIAL)[0],
    ):
        torch.testing.assert_close(outputs, apart, rtol=0, atol=1e-12)
        (slope,) = torch.autograd.grad(outputs.sum(), cut)
        assert slope.isfinite().all()


def test_float32_keeps_a_short_sum_after_a_long_fall():
    """The roundoff of running sums near -20,000 is larger than 0.001."""
    fall = torch.cat([torch.full((1, 20, 1), -1000.0), torch.full((1, 4, 1), -0.01)], 1)
    sums = practice.segment_sum(fall)[0, 0]
    torch.testing.assert_close(sums[23, 20], torch.tensor(-0.03), rtol=1e-6, atol=0)
    running = fall[0, :, 0].cumsum(0)
    assert abs(running[23] - running[20] + 0.03) > 1e-4
