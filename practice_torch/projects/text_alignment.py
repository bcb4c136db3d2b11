"""Text alignment: best of n, PPO, RLOO, GRPO, DPO, IPO, KTO, SimPO and ORPO, all after the same wish of a program."""

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from practice_torch.engine.artifacts import Figure, Text
from practice_torch.engine.estimate import ANY, FRACTION, POSITIVE, mean_interval
from practice_torch.evaluation.perplexity import distinct_fraction
from practice_torch.experiments.language.completions import (
    after,
    completed,
    evenly_spaced,
    judged_bytes,
    log_probs_after,
    readable,
)
from practice_torch.experiments.preference import dpo_variants, pipeline
from practice_torch.experiments.reinforcement import group_policy, language_policy
from practice_torch.pictures.preference import wins_by_nats
from practice_torch.preference.overoptimization import best_of_n_kl_bound
from practice_torch.preference.pipeline import token_class_score
from practice_torch.projects.runner import Column, Expectation, Findings, Model, Project, Reading, Row, call_isolated
from shared_specs.palette import BLUE, VERMILION

LEARNED = "PPO, learned reward"
OBJECTIVES = {
    "dpo": "DPO",
    "robust": "robust DPO",
    "ipo": "IPO",
    "hinge": "hinge",
    "kto": "KTO",
    "simpo": "SimPO",
    "orpo": "ORPO",
}
WANTED = (LEARNED, "PPO", "RLOO", "GRPO", *OBJECTIVES.values())
START, REAL, BEST = "supervised", "held-out text", "best of 64 by the wish itself"
JUDGED = 512  # held-out prompts
CHOICES = (1, 2, 4, 8, 16, 32, 64)  # completions of a prompt of which the best is taken
OF_CHOICES = 16  # the row of the table
CHUNK = 2048  # completions that are drawn at once
PIECE = 4  # bytes, of which a completion repeats some or none
EXACT = "sixteen texts"  # the table of the policy whose optimum is known

COLUMNS = {
    "win_rate": Column("fraction", "of held-out prompts that it completes better than the supervised model; ties half", "higher"),
    "divergence": Column(
        "nats",
        "KL(policy || supervised) of a completion of 32 bytes, the mean log-ratio of its own; of the best of n at most this",
        "lower",
    ),
    "score": Column("a byte", "mean wish of its completions: vowels 1, digits and punctuation -1, other bytes 0", "higher"),
    "bits": Column("bits per byte", "-log2 p of its completions under the supervised model; good is what that writes itself"),
    "distinct_4": Column("fraction", "different 4-byte pieces of a completion; good is what real text has"),
    "gap": Column("nats", "KL(policy || optimum), over all sixteen texts, which are summed over", "lower"),
}  # fmt: skip


class Continued(NamedTuple):
    """Completions of the same prompts by one policy."""

    tokens: Tensor  # [N, T] bytes, without their prompts
    scores: Tensor  # [N]
    starts: Tensor  # [N], scores of the model that it was tuned from
    log_ratios: Tensor  # [N], nats, of the policy to that model
    bits: Tensor  # [N], a byte, under that model


def judge(trainings, say):
    """Every policy completes held-out prompts, next to the model that it was tuned from."""
    say("completions of held-out prompts")
    written = {}
    for title, policies in (
        ("pipeline", lambda experiment: {LEARNED: experiment.tuned}),
        *((name, lambda experiment, name=name: {name: experiment.policy}) for name in ("PPO", "RLOO", "GRPO")),
        ("preferences", lambda experiment: {OBJECTIVES[key]: policy for key, policy in experiment.policies.items()}),
    ):
        prompts = _prompts(trainings[title])
        written |= call_isolated(trainings[title], "completions", partial(completions, policies=policies, prompts=prompts))

    say(f"the best of up to {CHOICES[-1]}")
    texts = evenly_spaced(trainings["pipeline"].held_out_data, JUDGED)
    floor, chosen, real = call_isolated(trainings["pipeline"], "best of n", partial(best_of_n, texts=texts))
    rows = {REAL: Row("floor", _cells(real)), START: Row("floor", _cells(floor))}
    rows[f"best of {OF_CHOICES} by the learned reward"] = _best(chosen["learned"][OF_CHOICES], OF_CHOICES, "model")
    rows |= {name: Row("model", _cells(written[name], tuned=True)) for name in WANTED}
    rows[BEST] = _best(chosen["wish"][CHOICES[-1]], CHOICES[-1], "ceiling")
    for name, title in (("RLOO", "exact RLOO"), ("PPO", "exact PPO")):
        found = call_isolated(trainings[title], "optimum", lambda experiment: experiment.evaluate(None))
        rows[f"{name}, {EXACT}"] = Row("model", {"gap": found["divergence_from_best"], "divergence": found["nats"]}, EXACT)

    shown = {
        "wins": wins_by_nats({name: (_nats(written[name]), _wins(written[name]).mean().item()) for name in WANTED[:7]}),
        "wins_of_others": wins_by_nats({name: (_nats(written[name]), _wins(written[name]).mean().item()) for name in WANTED[7:]}),
        "best_of_n": _over_optimization(chosen),
        "completions": _side_by_side(texts, trainings["pipeline"].recipe.prompt, {START: floor, **written}),
    }
    return Findings(COLUMNS, rows, shown)


def _prompts(training):
    return evenly_spaced(training.held_out_data, JUDGED)[:, : training.recipe.prompt]


def completions(experiment, policies, prompts):
    """name -> Continued, of every policy of an experiment, against its own reference."""
    start = partial(_drawn, experiment.reference, prompts, experiment.recipe.completion, experiment.generator)
    width, starts = prompts.shape[1], _wish(start(), prompts.shape[1])
    found = {}
    for name, network in policies(experiment).items():
        drawn = _drawn(network, prompts, experiment.recipe.completion, experiment.generator)
        under = log_probs_after(width, experiment.reference, drawn)
        ratios = log_probs_after(width, network, drawn) - under
        found[name] = _written(drawn, width, starts, ratios, under)
    return found


def best_of_n(experiment, texts):
    """(the reference's completions, "learned" and "wish" -> n -> Continued of the best of n by it, the real ones).

    Of texts [N, P + T], whose first P bytes are the prompts. Nothing is trained: the reference draws, and one draw is taken. What
    it is compared with is one more draw.
    """
    width, reference = experiment.recipe.prompt, experiment.reference
    prompts, most = texts[:, :width], CHOICES[-1] + 1
    drawn = _drawn(reference, prompts.repeat_interleave(most, 0), experiment.recipe.completion, experiment.generator)
    rewards = torch.cat([experiment.reward(part, torch.ones_like(part, dtype=torch.bool)) for part in drawn.split(CHUNK)])
    under = torch.cat([log_probs_after(width, reference, part) for part in drawn.split(CHUNK)])
    drawn, under = drawn.unflatten(0, (-1, most)), under.view(-1, most)
    measures = {"learned": rewards.view(-1, most), "wish": _wish(drawn.flatten(0, 1), width).view(-1, most)}
    starts = measures["wish"][:, -1]

    def taken(by, n):
        place = measures[by][:, :n].argmax(1, keepdim=True)
        one = drawn.gather(1, place[..., None].expand(-1, 1, drawn.shape[2]))[:, 0]
        return _written(one, width, starts, torch.zeros_like(starts), under.gather(1, place)[:, 0])

    chosen = {by: {n: taken(by, n) for n in CHOICES} for by in measures}
    real = texts[:, : width + experiment.recipe.completion]
    of_real = _written(real, width, starts, torch.zeros_like(starts), log_probs_after(width, reference, real))
    return chosen["wish"][1], chosen, of_real


def _drawn(network, prompts, count, generator):
    """The prompts with `count` bytes that the network draws after each."""
    return torch.cat([completed(network, part, count, generator) for part in prompts.split(CHUNK)])


def _wish(tokens, width):
    return token_class_score(tokens, after(width, tokens), judged_bytes().to(tokens.device))


def _written(tokens, width, starts, ratios, under):
    ends = tokens[:, width:]
    return Continued(*(x.cpu() for x in (ends, _wish(tokens, width), starts, ratios, -under / (ends.shape[1] * math.log(2)))))


def _wins(written):
    """1 where the policy pleases more than the model that it was tuned from, 0 where less, else 1/2: [N]."""
    return ((written.scores - written.starts).sign() + 1) / 2


def _nats(written):
    return written.log_ratios.mean().item()


def _cells(written, tuned=False):
    """The columns that every row has; what was tuned has a win rate and a divergence, too."""
    distinct = distinct_fraction(written.tokens, order=min(PIECE, written.tokens.shape[1]))
    cells = {
        "score": mean_interval(written.scores, (-1.0, 1.0)),
        "bits": mean_interval(written.bits, POSITIVE),
        "distinct_4": mean_interval(distinct, FRACTION),
    }
    if tuned:
        cells = {
            "win_rate": mean_interval(_wins(written), FRACTION),
            "divergence": mean_interval(written.log_ratios, ANY),
        } | cells
    return cells


def _best(written, n, role):
    """The row of the best of n."""
    bound = best_of_n_kl_bound(samples=n).item()
    return Row(role, {"win_rate": mean_interval(_wins(written), FRACTION), "divergence": bound, **_cells(written)})


def _over_optimization(chosen):
    """What the best of n by the learned reward, and by the wish, has of the wish."""
    nats = [best_of_n_kl_bound(samples=n).item() for n in CHOICES]
    means = {by: [of[n].scores.mean().item() for n in CHOICES] for by, of in chosen.items()}

    def paint(axes):
        axes.plot(nats, means["wish"], "o-", color=BLUE, label="chosen by the wish")
        axes.plot(nats, means["learned"], "s--", color=VERMILION, label="chosen by the learned reward")
        for n, x, y in zip(CHOICES, nats, means["wish"], strict=True):
            axes.annotate(f"{n}", (x, y), textcoords="offset points", xytext=(0, 6), ha="center", fontsize="small")
        axes.set(xlabel="nats of divergence, at most log n - (n - 1)/n", ylabel="wish of a completion, a byte")
        axes.legend(loc="lower right")

    caption = (
        "The best of n completions, n beside each dot: what choosing by the learned reward gains of the wish, and what choosing "
        "by the wish itself would. The farther the lower line stays behind, the more the learned reward is being fooled"
    )
    return Figure(paint, caption)


def _side_by_side(texts, width, written):
    """A few held-out prompts as every model goes on with them."""
    lines = []
    for place in range(min(4, len(texts))):
        lines.append(readable(texts[place, :width]))
        lines += [f"    {name:20s} {readable(of.tokens[place])}" for name, of in written.items()]
    return Text("\n".join(lines), "Held-out prompts and how each model goes on; · is a line's end")


def read(rows):
    """Findings from the numbers of the table."""
    wins = {name: rows[name].cells["win_rate"].value for name in WANTED}
    nats = {name: rows[name].cells["divergence"].value for name in WANTED}
    bits, distinct = (
        {name: row.cells[what].value for name, row in rows.items() if what in row.cells} for what in ("bits", "distinct_4")
    )
    best = rows[f"best of {OF_CHOICES} by the learned reward"].cells
    order = ", ".join(f"{name} {wins[name]:.0%} at {nats[name]:.1f} nats" for name in sorted(WANTED, key=wins.get, reverse=True))
    far = [name for name in WANTED if nats[name] > 15]
    dull = [name for name in WANTED if distinct[name] < distinct[START] / 2]
    sentences = (
        f"How often each pleases the wish more than the model that it was tuned from: {order}.",
        f"Without any training the best of {OF_CHOICES} by the learned reward wins {best['win_rate'].value:.0%}, at no more than "
        f"{best['divergence']:.1f} nats, and costs {OF_CHOICES} completions for each that is shown. Of the tuned ones "
        f"{_listed([name for name in WANTED if wins[name] > best['win_rate'].value])} win more often.",
        f"Farther than 15 nats from where they began: {_listed(far)}. Less than half as many different pieces as the supervised "
        f"model: {_listed(dull)}. A win rate says nothing without these two: what is repeated without end wins, too.",
        f"The supervised model gives its own texts {bits[START]:.2f} bits per byte and real text {bits[REAL]:.2f}; those of the "
        f"tuned models {min(bits[name] for name in WANTED):.2f} to {max(bits[name] for name in WANTED):.2f}.",
        f"Of sixteen texts the best policy is known: RLOO ends {rows[f'RLOO, {EXACT}'].cells['gap']:.1e} nats from it, PPO "
        f"{rows[f'PPO, {EXACT}'].cells['gap']:.1e}.",
        "The models that were tuned began at three supervised models of one size and text, not at one: each is compared with its "
        "own. Steps and prices are those of the recipes, not equal budgets.",
    )
    expectations = (
        Expectation(
            "PPO, RLOO and GRPO by the wish win at least 80%", min(wins[name] for name in ("PPO", "RLOO", "GRPO")) >= 0.8
        ),
        Expectation("DPO wins at least 75%", wins["DPO"] >= 0.75),
        Expectation(
            "PPO, RLOO, GRPO, DPO, IPO and KTO stay within 15 nats",
            max(nats[name] for name in ("PPO", "RLOO", "GRPO", "DPO", "IPO", "KTO")) <= 15,
        ),
        Expectation("All tuned models have at least half of the supervised model's different pieces", not dull),
        Expectation("RLOO on sixteen texts ends within 0.001 nats of the optimum", rows[f"RLOO, {EXACT}"].cells["gap"] <= 1e-3),
    )
    return Reading(sentences, expectations)


def _listed(names):
    return ", ".join(names) or "none"


PROJECT = Project(
    title="Text alignment",
    question="A model of Python's help pages is to please a program that likes vowels, and neither digits nor punctuation. It "
    "may be tuned to the program's score, to a reward that was learned from pairs, or to the pairs themselves; or of several "
    "completions the best is taken. How often does each win, and how far does it go from the text that it learned?",
    models={
        "pipeline": Model(pipeline, "pydoc"),
        "PPO": Model(group_policy, "pydoc", changes={"estimator": "ppo", "kl_target": 8.0}),
        "RLOO": Model(group_policy, "pydoc"),
        "GRPO": Model(group_policy, "pydoc", changes={"estimator": "group", "kl_coefficient": 0.2, "kl_target": 8.0}),
        "preferences": Model(dpo_variants, "pydoc"),
        "exact RLOO": Model(language_policy, "few_texts", keeps_data=True),
        "exact PPO": Model(language_policy, "few_texts_ppo", keeps_data=True),
    },
    judge=judge,
    read=read,
)
