"""The objective of the experiment autoregressive/attention, by functions with contracts."""

from practice_torch.experiments.autoregressive.attention import TransductionExperiment
from tests.autoregressive.objective_transformer import nats_per_token
from tests.support.objectives import Mistake, Objective


def transduction(e, batch, phase):
    source = batch["symbols"]
    answer = source if e.recipe.task == "copy" else source.flip(-1)
    return nats_per_token(e.network(source, answer[:, :-1]), answer)


MISTAKES = {"reversed as copied": Mistake(TransductionExperiment, "_answer", lambda self, source: source, dict(task="reverse"))}
OBJECTIVE = Objective(transduction, mistakes=MISTAKES)
