"""Policies of all objectives: completions byte after byte; each loss by its formula on one pair after another."""

import math

import torch

from tests.support.metrics import mean
from tests.support.written_texts import distinct, held_out_prompts, log_probs, scores, wins, written

FIELDS = {"pydoc": {"supervised": 0.5}}
TOLERANCE = 1e-4  # logits are cast to float32


def pairs(e, prompts):
    """(better, worse) completions by the reference; of two with the same score, the first is the better one."""
    drawn = written(e, e.reference, torch.cat([prompts, prompts]), e.recipe.completion)
    judged, count = scores(drawn, e.recipe.prompt), len(prompts)
    better = [k if judged[k] >= judged[count + k] else count + k for k in range(count)]
    worse = [2 * k + count - place for k, place in enumerate(better)]
    return drawn[better], drawn[worse]


def whole(e, network, tokens):
    return log_probs(network, tokens, e.recipe.prompt).sum(1).tolist()


def sigmoid(value):
    return 1 / (1 + math.exp(-value))


def losses(e, better, worse):
    recipe, length, found = e.recipe, e.recipe.completion, {}
    reference = whole(e, e.reference, better), whole(e, e.reference, worse)
    for name, policy in e.policies.items():
        ours, each = (whole(e, policy, better), whole(e, policy, worse)), []
        for c, r, of_c, of_r in zip(*ours, *reference, strict=True):
            gained, lost = c - of_c, r - of_r
            margin = recipe.kl_coefficient * (gained - lost)
            match name:
                case "dpo":
                    each.append(-math.log(sigmoid(margin)))
                case "robust":
                    flip = recipe.flip_probability
                    each.append(-((1 - flip) * math.log(sigmoid(margin)) - flip * math.log(sigmoid(-margin))) / (1 - 2 * flip))
                case "ipo":
                    each.append((gained - lost - 1 / (2 * recipe.regularization)) ** 2)
                case "hinge":
                    each.append(max(0.0, 1 - margin))
                case "kto":
                    tokens = torch.cat([better, worse])
                    ends = tokens[:, recipe.prompt :]
                    mixed = torch.cat([tokens[:, : recipe.prompt], torch.cat([ends[-1:], ends[:-1]])], 1)
                    ratios = [a - b for a, b in zip(whole(e, policy, mixed), whole(e, e.reference, mixed), strict=True)]
                    point = max(0.0, mean(ratios))
                    each.append(1 - sigmoid(recipe.kl_coefficient * (gained - point)))
                    each.append(1 - sigmoid(recipe.kl_coefficient * (point - lost)))
                case "simpo":
                    each.append(-math.log(sigmoid(recipe.scale * (c - r) / length - recipe.margin)))
                case "orpo":
                    odds = [math.exp(part / length) / (1 - math.exp(part / length)) for part in (c, r)]
                    each.append(-c / length - recipe.odds_weight * math.log(sigmoid(math.log(odds[0] / odds[1]))))
        found[f"{name}_loss"] = mean(each)
    return found


def logs(e, batch, phase):
    if e.place.stage == "supervised":
        return {}
    return losses(e, *pairs(e, batch["tokens"][:, : e.recipe.prompt]))


def evaluate(e, data):
    prompt, prompts = e.recipe.prompt, held_out_prompts(e, data, e.recipe.judged)
    better, worse = pairs(e, prompts)
    others, found = written(e, e.reference, prompts, e.recipe.completion), {}
    for name, policy in e.policies.items():
        made = written(e, policy, prompts, e.recipe.completion)
        changes = [mean(whole(e, policy, tokens)) - mean(whole(e, e.reference, tokens)) for tokens in (made, better, worse)]
        found |= {
            f"{name}_win_rate": wins(scores(made, prompt), scores(others, prompt)),
            f"{name}_divergence": changes[0],
            f"{name}_chosen_change": changes[1],
            f"{name}_rejected_change": changes[2],
            f"{name}_distinct": distinct(made, prompt),
        }
    least = min(value for name, value in found.items() if name.endswith("win_rate"))
    return found | {"least_win_rate": least, "reference_distinct": distinct(others, prompt)}


def preview(e, data):
    found = evaluate(e, data)
    both = [(name, float(found[f"{name}_chosen_change"]), float(found[f"{name}_rejected_change"])) for name in e.policies]
    lines = [("axhline", 0), ("axvline", 0), ("axline", (0, 0), {"slope": 1})]
    won = [(name, found[f"{name}_divergence"], 100 * found[f"{name}_win_rate"]) for name in e.policies]
    return {
        "changes": [*lines, *(("plot", a, b, {"label": name}) for name, a, b in both)],
        "wins": [("axhline", 50), *(("plot", a, b, {"label": name}) for name, a, b in won)],
    }
