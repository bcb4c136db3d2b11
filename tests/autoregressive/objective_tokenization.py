"""The experiment of autoregressive/tokenization counts; none of its phases minimizes a loss, and it shows the first tokens."""

from tests.support.objectives import Objective

OBJECTIVE = Objective(None, draws=False, sizes=dict(merges=3, window=256))
