"""What the experiment of autoregressive/speculative minimizes, written with functions that have contracts."""

from tests.autoregressive.objective_transformer import language
from tests.support.objectives import Objective

OBJECTIVE = Objective(language, unread={"drafts"}, sizes=dict(width=16))
