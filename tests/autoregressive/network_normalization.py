"""Initialization of the network of the depth study; tests/autoregressive/network_position.py has its formula."""

from shared_specs.rows import Model, begins_at, begins_glorot, begins_normal, given, integers
from tests.support import tiny
from tests.support.networks import Held
from tests.support.recipes import module_of


def _of_the_depth_study(place):
    """The network as the experiment trains it: with Xavier's weights in its blocks."""
    recipe = tiny.small(module_of("autoregressive/normalization").RECIPES["depth"])
    return getattr(tiny.built("autoregressive/normalization", recipe, seed=None)[0], place)


HELD = (
    Held(  # the network with norms after the branches starts from the same weights
        _of_the_depth_study,
        Model(
            "OpenDecoder",
            "of the depth study",
            given(tokens=integers(3, 6, high=11)),
            sizes=dict(place="pre"),
            initial={
                "*norm.weight": begins_at(1),
                "*.bias": begins_at(0),
                "blocks.*.weight": begins_glorot(),
                "token_embedding.weight": begins_normal(0.02),
                "positions.table": begins_normal(0.02),
            },
        ),
        None,
    ),
)
