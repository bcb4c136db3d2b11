"""Contracts from supervised fine-tuning to preferences (lectures 54 and 55)."""

import numpy as np

from shared_specs.rows import LOG_2, LOG_3, Agree, Anchor, Law, Rejects, given, integers, log_simplex, normal, zeros

NEG = -np.inf
# A prompt before and padding behind, one token that counts, left padding, all: of the last the first token has no logits.
MASK = np.array([[0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1], [1, 1, 1, 1, 1]], dtype=bool)
TOKENS, LOGITS, VALUES = integers(4, 5, high=3), normal(4, 5, 3, scale=2.0), normal(3)
# Two tokens of four count. Their probabilities are 1/3 and 1/4; the prompt's is 1/2, and 1/12 would be the padding's.
WRITTEN = {
    "tokens": [[1, 0, 1, 0, 1]],
    "logits": np.log([[[0.5, 0.5], [2 / 3, 1 / 3], [0.25, 0.75], [11 / 12, 1 / 12], [0.9, 0.1]]]),
    "completion": np.array([[False, False, True, True, False]]),
}
HIDDEN = {"tokens": [[1, 0, 99], [-1, 2, 1]], "completion": np.array([[True, True, False], [False, True, True]])}
SCORED = ("completion_log_prob", "supervised_loss")
ONES = np.ones((1, 2), bool)


def _agrees():
    for function in SCORED:
        yield Agree(function, "regular", given(tokens=TOKENS, logits=LOGITS, completion=MASK))
        yield Agree(function, "logits near 1000", given(tokens=TOKENS, logits=normal(4, 5, 3, mean=1000.0), completion=MASK))
        yield Agree(
            function,
            "the rest holds an unknown token and infinite logits",
            given(
                **HIDDEN,
                logits=[
                    [[0.5, 1.0, -1.0], [NEG, NEG, NEG], [np.nan, NEG, NEG]],
                    [[0.0, 0.25, 1.0], [0.5, 0.0, 2.0], [NEG, np.inf, 0.0]],
                ],
            ),
            edge="infinite logits of an ignored token give NaN in torch's cross_entropy",
        )
        yield Agree(function, "the last of 256 tokens", given(tokens=[[0, 255]], logits=normal(1, 2, 256), completion=ONES))


def _less_the_prompt(f, tokens, logits, completion):
    """The log-probability of prompt and completion, less that of the prompt."""
    whole = f.completion_log_prob(tokens, logits, np.ones_like(completion))
    return whole - f.completion_log_prob(tokens, logits, ~completion)


SPEC = (
    Agree("completion_mask", "regular", given(prompt_lengths=[1, 0, 4, 2], lengths=[3, 5, 5, 3], width=5)),
    Agree("completion_mask", "lengths of 255 and 256 of 260",
          given(prompt_lengths=[254, 255, 0], lengths=[255, 258, 256], width=260)),
    Anchor(
        "completion_mask", "a prompt of 2 in a text of 4, and a text of 1 without prompt",
        given(prompt_lengths=[2, 0], lengths=[4, 1], width=5),
        gives=[[False, False, True, True, False], [True, False, False, False, False]], source="by hand",
        near_misses={"one late": [[False, False, False, True, True], [False, True, False, False, False]],
                     "one early": [[False, True, True, False, False], [True, False, False, False, False]],
                     "the last one, too": [[False, False, True, True, True], [True, True, False, False, False]],
                     "with the prompt": [[True, True, True, True, False], [True, False, False, False, False]],
                     "with the padding": [[False, False, True, True, True], [True, True, True, True, True]],
                     "the prompt": [[True, True, False, False, False], [False, False, False, False, False]]},
    ),
    *_agrees(),
    Anchor(
        "completion_log_prob", "tokens of probability 1/3 and 1/4", given(**WRITTEN), gives=[-LOG_3 - 2 * LOG_2],
        source="log 1/12",
        near_misses={"logits of the same step": [np.log(0.75 * 11 / 12)], "with the prompt": [-np.log(2 * 12)],
                     "mean": [-(LOG_3 + 2 * LOG_2) / 2], "with the padding": [-np.log(144)], "a token late": [-np.log(48)],
                     "a token early": [-np.log(6)]},
    ),
    Anchor(
        "supervised_loss", "tokens of probability 1/3 and 1/4", given(**WRITTEN), gives=[LOG_3 / 2 + LOG_2],
        source="half of log 12",
        near_misses={"sum": [LOG_3 + 2 * LOG_2], "per token of the text": [(LOG_3 + 2 * LOG_2) / 5],
                     "per token that has logits": [(LOG_3 + 2 * LOG_2) / 4], "bits": [(LOG_3 / 2 + LOG_2) / LOG_2]},
    ),
    Anchor(
        "supervised_loss", "a first token that counts has no logits",
        given(tokens=[[1, 0, 1]], logits=np.log([[[0.5, 0.5], [2 / 3, 1 / 3], [0.1, 0.9]]]), completion=np.ones((1, 3), bool)),
        gives=[(LOG_2 + LOG_3) / 2], source="half of log 6: the mean of two",
        near_misses={"divided by three": [(LOG_2 + LOG_3) / 3],
                     "logits of the same step": [(LOG_2 - np.log(2 / 3) - np.log(0.9)) / 3]},
    ),
    Agree("win_rate", "regular", given(scores_first=normal(7), scores_second=normal(7)), differentiate=(), smallest_batch=1,
          frozen=("scores_first", "scores_second")),
    Agree("win_rate", "whole numbers, such as points", given(scores_first=[3, 255, 0, 4], scores_second=[3, 2, 1, 3]),
          differentiate=(), frozen=("scores_first", "scores_second")),
    Anchor(
        "win_rate", "two wins, two ties, one loss",
        given(scores_first=[1.0, 3.0, 0.0, -2.0, np.inf], scores_second=[0.5, -3.0, 0.0, -1.0, np.inf]), gives=0.6,
        source="3 / 5", frozen=("scores_first", "scores_second"),
        near_misses={"ties lost": 0.4, "ties won": 0.8, "ties left out": 2 / 3, "of the second": 0.4, "sum": 3.0},
    ),
    Agree("token_class_score", "regular", given(tokens=TOKENS, completion=MASK, token_values=VALUES)),
    Agree("token_class_score", "the rest holds unknown tokens", given(**HIDDEN, token_values=VALUES)),
    Agree("token_class_score", "the last of 256 tokens",
          given(tokens=[[0, 255], [255, 3]], completion=np.array([[1, 1], [1, 0]], bool), token_values=normal(256))),
    Anchor(
        "token_class_score", "values 1, 0 and -1", given(
            tokens=[[0, 0, 0, 2, 1], [2, 2, 1, 0, 2]], completion=np.array([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0]], bool),
            token_values=[1.0, 0.0, -1.0]),
        gives=[0.0, -0.5], source="(1 - 1 + 0) / 3 and (-1 + 0) / 2",
        near_misses={"with the prompt": [0.4, -0.4], "over the width": [0.0, -0.2], "sum": [0.0, -1.0],
                     "a token late": [-0.5, 0.5], "the padding, too": [0.0, -0.25]},
    ),
    Law.equal("the completion's log-probability is the text's, less the prompt's", given(
                  tokens=TOKENS, logits=LOGITS, completion=np.tile([False, False, True, True, True], (4, 1))),
              left=lambda f, *text: f.completion_log_prob(*text), right=_less_the_prompt),
    Law.equal("the probabilities of all completions of two tokens sum to one",
              given(first=log_simplex(2), second=log_simplex(2, 2)),
              left=lambda f, first, second: sum(np.exp(f.completion_log_prob(
                  np.array([[0, a, b]]), np.stack([first, second[a], first])[None], np.array([[False, True, True]])))[0]
                  for a in range(2) for b in range(2)), right=1.0),
    Law.equal("the supervised loss is the mean over the tokens that have logits", given(tokens=TOKENS, logits=LOGITS),
              left=lambda f, tokens, logits: f.supervised_loss(tokens, logits, MASK) * np.array([3, 1, 2, 4]),
              right=lambda f, tokens, logits: -f.completion_log_prob(tokens, logits, MASK)),
    Law.equal("no slope in logits that score the prompt or the padding, nor in the last", given(tokens=TOKENS, logits=LOGITS),
              left=lambda f, tokens, logits: np.abs(f.gradient("supervised_loss", tokens, logits, MASK, wrt=1)).sum(-1) > 0,
              right=lambda f, tokens, logits: np.pad(MASK[:, 1:], ((0, 0), (0, 1))) * 1.0),
    Law.equal("win rates of both sides sum to one", given(a=normal(6), b=normal(6)), frozen=("a", "b"),
              left=lambda f, a, b: f.win_rate(np.round(a), np.round(b)) + f.win_rate(np.round(b), np.round(a)), right=1.0),
    Law.equal("no one beats himself", given(a=normal(6)), left=lambda f, a: f.win_rate(a, a), right=0.5, frozen=("a",)),
    Law.equal("the score of another prompt is the same", given(tokens=TOKENS, other=TOKENS, values=VALUES),
              left=lambda f, tokens, other, values: f.token_class_score(np.where(MASK, tokens, other), MASK, values),
              right=lambda f, tokens, other, values: f.token_class_score(tokens, MASK, values)),
    *(
        Rejects("completion_mask", case, given(**{"prompt_lengths": [2, 1], "lengths": [4, 3], "width": 5} | wrong),
                blames=blames)
        for case, blames, wrong in (
            ("a negative prompt", "prompt_lengths", {"prompt_lengths": [2, -1]}),
            ("no completion", "lengths", {"lengths": [4, 1]}),
            ("a text shorter than its prompt", "lengths", {"lengths": [1, 3]}),
            ("a text longer than the width", "lengths", {"lengths": [4, 6]}),
            ("a negative width", "width", {"width": -1}),
            ("lengths that are no integers", "lengths", {"lengths": [4.0, 3.0]}),
            ("another count of lengths", "lengths", {"lengths": [4, 3, 3]}),
        )
    ),
    *(
        Rejects(function, case, given(**{"tokens": [[0, 1]], "logits": zeros(1, 2, 4), "completion": ONES} | wrong),
                blames=blames)
        for function in SCORED
        for case, blames, wrong in (
            ("a token beyond the vocabulary", "tokens", {"tokens": [[0, 4]]}),
            ("a negative token", "tokens", {"tokens": [[0, -1]]}),
            ("no completion", "completion", {"completion": np.zeros((1, 2), bool)}),
            ("the first token alone", "completion", {"completion": np.array([[True, False]])}),
            ("a mask of one step less", "completion", {"completion": np.ones((1, 1), bool)}),
            ("logits of one step less", "logits", {"logits": zeros(1, 1, 4)}),
            ("tokens that are no integers", "tokens", {"tokens": [[0.0, 1.0]]}),
        )
    ),
    *(
        Rejects("win_rate", case, given(scores_first=first, scores_second=second), blames=blames)
        for case, blames, first, second in (
            ("no comparison", "scores_first", zeros(0), zeros(0)),
            ("another count", "scores_second", zeros(3), zeros(2)),
            ("NaN in the first", "scores_first", [0.0, np.nan], zeros(2)),
            ("NaN in the second", "scores_second", zeros(2), [np.nan, 0.0]),
        )
    ),
    *(
        Rejects("token_class_score", case,
                given(**{"tokens": [[0, 1]], "completion": ONES, "token_values": [1.0, 0.0]} | wrong), blames=blames)
        for case, blames, wrong in (
            ("a token without a value", "tokens", {"tokens": [[0, 2]]}),
            ("no completion", "completion", {"completion": np.zeros((1, 2), bool)}),
            ("a mask of another shape", "completion", {"completion": np.ones((2, 1), bool)}),
            ("a value that is not finite", "token_values", {"token_values": [1.0, np.nan]}),
        )
    ),
)  # fmt: skip
