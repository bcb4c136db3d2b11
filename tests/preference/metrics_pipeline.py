"""Both ways from a text to preferences: completions byte after byte, rewards and verdicts one by one."""

import math
from types import SimpleNamespace

import torch

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

FIELDS = {"pydoc": {"steps": 4, "supervised": 0.5, "rewarded": 0.5}}
ROUNDS = 4
TOLERANCE = 1e-5  # scores are cast to float32


def rewards(e, tokens):
    return e.reward(tokens, torch.ones_like(tokens, dtype=torch.bool))


def judged(e, prompts):
    drawn = written(e, e.reference, torch.cat([prompts, prompts]), e.recipe.completion)
    judged_as = scores(drawn, e.recipe.prompt)
    pairs = zip(judged_as[: len(prompts)], judged_as[len(prompts) :], strict=True)
    return drawn, [(a > b) - (a < b) for a, b in pairs]


def of_pairs(signs, differences):
    """Mean margin, and how often it is positive; half where it is 0."""
    margins = [sign * difference for sign, difference in zip(signs, differences.tolist(), strict=True)]
    return {"margin": mean(margins), "accuracy": wins(margins, [0.0] * len(margins))}


def logs(e, batch, phase):
    prompts = batch["tokens"][:, : e.recipe.prompt]
    if phase == "train" and e.place.stage != "supervised":
        drawn, signs = judged(e, prompts)
        changes = (log_probs(e.policy, drawn, e.recipe.prompt) - log_probs(e.reference, drawn, e.recipe.prompt)).sum(1)
        first, second = (e.recipe.kl_coefficient * changes).chunk(2)
        return of_pairs(signs, first - second)
    if phase == "reward":
        drawn, signs = judged(e, prompts)
        first, second = rewards(e, drawn).chunk(2)
        return of_pairs(signs, first - second)
    if phase == "collect":
        rows = [k % len(prompts) for k in range(len(e.reference_rewards))]
        of_reference = rewards(e, written(e, e.reference, prompts[rows], e.recipe.completion))
        deviation = math.sqrt(mean((of_reference - of_reference.mean()).square())) + 1e-6
        rollout = SimpleNamespace(**{name: getattr(e.rollout, name) for name in ("tuning", "tokens", "prompt")})
        rollout.price = e.recipe.kl_coefficient / deviation
        seen_by = SimpleNamespace(rollout=rollout, generator=e.generator)
        scaled = lambda tokens: (rewards(e, tokens) - of_reference.mean()) / deviation  # noqa: E731
        return rollout_logs(seen_by, e.tuned, e.reference, prompts, scaled)
    if phase == "update":
        return update_logs(e, e.tuned)
    return {}


def evaluate(e, data):
    prompt, length = e.recipe.prompt, e.recipe.completion
    prompts = held_out_prompts(e, data, e.recipe.judged)
    others = written(e, e.reference, prompts, length)
    drawn, signs = judged(e, prompts)
    first, second = rewards(e, drawn).chunk(2)
    found = {"reward_accuracy": of_pairs(signs, first - second)["accuracy"]}
    of_others = scores(others, prompt)
    found |= {"reference_score": mean(of_others), "reference_distinct": distinct(others, prompt)}
    for way, network in (("dpo", e.policy), ("ppo", e.tuned)):
        drawn = written(e, network, prompts, length)
        ratios = log_probs(network, drawn, prompt) - log_probs(e.reference, drawn, prompt)
        found |= {
            f"{way}_win_rate": wins(scores(drawn, prompt), of_others),
            f"{way}_divergence": mean(ratios.sum(1)),
            f"{way}_score": mean(scores(drawn, prompt)),
            f"{way}_bits": bits_of(e.reference, drawn, prompt),
            f"{way}_distinct": distinct(drawn, prompt),
        }
    return found | {"least_win_rate": min(found["dpo_win_rate"], found["ppo_win_rate"])}


def preview(e, data):
    found = evaluate(e, data)
    points = [("plot", found[f"{way}_divergence"], 100 * found[f"{way}_win_rate"], {"label": way}) for way in ("dpo", "ppo")]
    lines = ["           " + "".join(f"{name:>12s}" for name in ("win_rate", "divergence", "score", "bits", "distinct"))]
    for way in ("dpo", "ppo"):
        numbers = [float(found[f"{way}_{name}"]) for name in ("win_rate", "divergence", "score", "bits", "distinct")]
        lines.append(f"{way:11s}" + "".join(f"{number:12.2f}" for number in numbers))
    last = e.rollout.path[-1:]
    path = [("plot", *last.T), ("plot", *last.T, {"label": "last round"})]
    return {"ways": "\n".join(lines), "wins": [("axhline", 50), *points], "path": path}


SLIPS = {"a mean score summed": ("preference/pipeline", "Pipeline.evaluate", "self._scores(others).mean()  ->  sum")}
