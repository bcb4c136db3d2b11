"""S4's layer in both directions, and what the network of several resolutions refuses."""

import pytest
import torch

from practice_torch.state_space._pyramid import PyramidDecoder, S4DLayer
from practice_torch.state_space.diagonal import diagonal_kernel


def test_a_bidirectional_layer_hears_the_future_through_its_second_system():
    """y_t = sum_s K_(t-s) u_s, s <= t, + sum_s K'_(s-t-1) u_s, s > t, + D u_t, in a loop; then gelu, and one half is gated."""
    torch.manual_seed(0)
    layer = S4DLayer(3, modes=2, kind="legs", bidirectional=True).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    first, second = diagonal_kernel(*layer.system(), length=5).chunk(2)
    heard = layer.skip * x
    for t in range(5):
        for s in range(5):
            heard[:, t] += x[:, s] * (first[:, t - s] if s <= t else second[:, s - t - 1])
    content, gate = layer.mix(torch.nn.functional.gelu(heard)).chunk(2, -1)
    torch.testing.assert_close(layer(x), content * gate.sigmoid(), rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match="bidirectional layers hear what comes after a step; they have no steps"):
        layer.step(x[:, 0], layer.start(2))


@pytest.mark.parametrize(("changes", "message"), [(dict(factors=(0,)), "factors is 0"), (dict(layers=0), "layers is 0")])
def test_sizes_that_make_no_network_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        PyramidDecoder(**dict(vocabulary_size=3, width=2, layers=1, factors=(2,)) | changes)
