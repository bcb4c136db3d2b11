"""The objective of the experiment autoregressive/recurrent, by functions with contracts."""

from tests.autoregressive.objective_transformer import language
from tests.support.objectives import Objective

OBJECTIVE = Objective(language)
