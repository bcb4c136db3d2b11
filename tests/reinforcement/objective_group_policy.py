"""The objective of the experiment reinforcement/group_policy, by functions with contracts."""

from practice_torch.experiments.alignment.online_recipe import OnlineRecipe
from tests.autoregressive.objective_transformer import language
from tests.reinforcement.objective_language_policy import tuned_policy
from tests.support.alignment import online
from tests.support.objectives import Objective


def text_then_policy(e, batch, phase):
    """A text, while no round has begun; then what the rounds collect."""
    if isinstance(e.recipe, OnlineRecipe):
        return online.loss(e, batch, phase)
    return tuned_policy(e, batch, phase) if e.place.stage == "rounds" else language(e, batch, "policy")


OBJECTIVE = Objective(
    text_then_policy,
    unread=online.UNREAD,
    together=[dict(estimator="ppo", trace_decay=0.5), dict(estimator="ppo", value_coefficient=0.3), *online.TOGETHER],
    waits=("rewards", "imdb", "gsm8k"),
    repeated={"completion", "passes"},
)
