"""A tuned byte model: completions byte after byte."""

import torch

from practice_torch.experiments.alignment.online_recipe import OnlineRecipe
from tests.support.alignment import online
from tests.support.metrics import mean
from tests.support.written_texts import (
    bits_of,
    distinct,
    held_out_prompts,
    log_probs,
    rollout_logs,
    scores,
    update_logs,
    wins,
    written,
)

FIELDS = {"pydoc": {"supervised": 0.5}}
TOLERANCE = 1e-5  # scores are cast to float32


def logs(e, batch, phase):
    if isinstance(e.recipe, OnlineRecipe):
        return online.logs(e)
    if phase == "collect":
        prompts = batch["tokens"][:, : e.recipe.prompt]
        return rollout_logs(e, e.policy, e.reference, prompts, lambda tokens: scores(tokens, e.recipe.prompt))
    return update_logs(e, e.policy) if e.place.stage == "rounds" else {}


def evaluate(e, data):
    if isinstance(e.recipe, OnlineRecipe):
        return online.evaluated(e, data)
    prompts = held_out_prompts(e, data, e.recipe.judged)
    drawn, others = (written(e, network, prompts, e.recipe.completion) for network in (e.policy, e.reference))
    prompt, ours, theirs = e.recipe.prompt, scores(drawn, e.recipe.prompt), scores(others, e.recipe.prompt)
    ratios = log_probs(e.policy, drawn, prompt) - log_probs(e.reference, drawn, prompt)
    return {
        "win_rate": wins(ours, theirs),
        "divergence": mean(ratios.sum(1)),
        "score": mean(ours),
        "reference_score": mean(theirs),
        "reference_bits": bits_of(e.reference, drawn, prompt),
        "distinct": distinct(drawn, prompt),
        "reference_distinct": distinct(others, prompt),
    }


def preview(e, data):
    if isinstance(e.recipe, OnlineRecipe):
        return {}
    path = e.rollout.path[-e.place.taken :]
    return {"path": [("plot", *torch.as_tensor(path).T), ("plot", *path[-1:].T, {"label": "last round"})]}
