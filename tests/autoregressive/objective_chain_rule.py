"""The objective of the experiment autoregressive/chain_rule, by functions with contracts."""

import torch

from practice_torch.autoregressive.chain_rule import autoregressive_bernoulli_log_prob
from tests.support.objectives import Objective, pixels


def made(e, batch, phase):
    x, k = pixels(e, batch), 0
    if e.recipe.orders > 1:
        k = int(torch.randint(e.recipe.orders, (), generator=e.generator))
    return -autoregressive_bernoulli_log_prob(x, e.network(x, k)).mean()


OBJECTIVE = Objective(made, sizes=dict(orders=2))
