"""The objective of the experiment autoregressive/position, by functions with contracts."""

from tests.autoregressive.objective_transformer import nats_per_token
from tests.support.objectives import Objective


def positions(e, batch, phase):
    """Windows of the trained length; the adapted scheme ends on longer ones, at a quarter of the angles."""
    network, tokens, multiple = getattr(e, phase), batch["tokens"], 1
    if phase == "adapted":
        multiple = 4 if int(e.batches) >= round((1 - e.recipe.adapting) * e.recipe.steps) else 1
        network.positions.scale = float(multiple)
    seen, asked = (part.unflatten(1, (-1, multiple * e.recipe.context)).flatten(0, 1) for part in (tokens[:, :-1], tokens[:, 1:]))
    return nats_per_token(network(seen), asked)


OBJECTIVE = Objective(positions, sizes=dict(heads=2))
