"""The objective of the experiment state_space/selective, by functions with contracts."""

from practice_torch.experiments.language.recall import remembered_first, selective_copying
from tests.autoregressive.objective_transformer import nats_per_token
from tests.state_space.objective_diagonal import bytes_or_sounds
from tests.support.objectives import Objective, uniform


def recall(e, batch, phase):
    """Bytes; sounds; or the symbols of a task, which are requested at the end of a sequence."""
    if "symbols" not in batch:
        return bytes_or_sounds(e, batch, phase)
    symbols = batch["symbols"]
    task = selective_copying if e.recipe.task == "copying" else remembered_first
    tokens, _ = task(symbols, uniform(e, len(symbols), e.recipe.places), size=e.symbols)
    return nats_per_token(getattr(e, phase)(tokens)[:, -symbols.shape[1] :, : e.symbols], symbols)


OBJECTIVE = Objective(recall, sizes=dict(parameters=500, places=12))
