"""The objective of the experiment autoregressive/speculative, by functions with contracts."""

from tests.autoregressive.objective_transformer import language
from tests.support.objectives import Objective

OBJECTIVE = Objective(language, unread={"drafts"}, sizes=dict(width=16))
