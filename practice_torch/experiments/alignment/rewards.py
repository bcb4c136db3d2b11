"""Rewards of completions: a function that comes with Diptych, the user's own in its process, or a trained reward model's run.

    rewards = Rewards(("vowels", "rewards.py:exact_answer", "runs/reward"), weights=(), seconds=30.0)
    scores = rewards(rows, completions)  # [N] in float32, NaN where no reward applies

Several rewards are added with their weights, as in TRL: one that does not apply, None, adds nothing.
"""

import inspect
import math
from pathlib import Path

import torch

from practice_torch.data.errors import DataError
from practice_torch.data.reading.chat_templates import PRIVATE, read_chat_template
from practice_torch.engine.errors import OptionError, RunError
from practice_torch.engine.storage.run import Run
from practice_torch.experiments.alignment import ready_rewards
from practice_torch.experiments.alignment.policy import opened
from practice_torch.experiments.alignment.reward_process import RewardProcess, named_function
from practice_torch.experiments.language.tokens import text_end

WITHOUT = "reward {} is the run of a model without rewards: train one with --method reward"
READY = ("vowels", "gsm8k_answer")  # functions of ready_rewards


class Rewards:
    """The sum of rewards by their names, each times its weight; without weights the plain sum."""

    def __init__(self, names, weights, seconds):
        self.names, self.weights = names, weights or (1.0,) * len(names)
        self.seconds, self.log, self._sources = seconds, None, {}

    def __call__(self, rows, completions):
        """rows: the columns of each completion's prompt, the prompt among them; completions: their texts."""
        total, known = torch.zeros(len(rows)), torch.zeros(len(rows), dtype=torch.bool)
        for name, weight in zip(self.names, self.weights, strict=True):
            found = [math.nan if reward is None else reward for reward in self._source(name)(rows, completions)]
            scores = torch.tensor(found, dtype=torch.float32)
            known |= scores.isfinite()
            total += weight * scores.nan_to_num()
        return total.masked_fill(~known, math.nan)

    def close(self):
        """Ends the processes of functions."""
        for source in self._sources.values():
            getattr(source, "close", lambda: None)()
        self._sources = {}

    def _source(self, name):
        if name not in self._sources:
            self._sources[name] = self._made(name)
        return self._sources[name]

    def _made(self, name):
        if name in READY:
            return OfFunction(getattr(ready_rewards, name))
        if Path(name).is_dir():
            return OfModel(name)
        return OfFunction(RewardProcess(name, seconds=self.seconds, log=self.log))


class OfFunction:
    """A function with TRL's signature, called with the rows' columns."""

    def __init__(self, function):
        self.function = function

    def __call__(self, rows, completions):
        columns = {name: [row[name] for row in rows] for name in rows[0] if name != "prompt"}
        prompts = [row["prompt"] for row in rows]
        if isinstance(self.function, RewardProcess):
            # of a prompt of messages TRL gives completions as messages, too
            said = [_reply(text) if isinstance(prompt, list) else text for prompt, text in zip(prompts, completions, strict=True)]
            return self.function(prompts, said, columns)
        parameters = inspect.signature(self.function).parameters.values()
        needed = {each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD} - {"completions"}
        if missing := sorted(needed - columns.keys()):
            name, known = self.function.__name__, ", ".join(columns) or "none but prompt"
            raise RunError(f"reward {name} needs the column {missing[0]} of the data, which have {known}: name other data")
        return self.function(prompts=prompts, completions=completions, **columns)

    def close(self):
        """Ends the process of a user's function."""
        if isinstance(self.function, RewardProcess):
            self.function.close()


class OfModel:
    """The reward model of a run, of prompt and completion as it was trained: encoded one by one, with the end of a text.

    Texts are what the two models exchange: the policy may have another tokenizer.
    """

    def __init__(self, folder):
        self.folder = folder
        self.recipe, self.model = opened(Run.open(folder))
        if getattr(self.model, "head", None) is None or not hasattr(self.model, "rewards"):
            raise RunError(WITHOUT.format(folder))
        self.model.eval().requires_grad_(False)
        self.tokenizer, self.template = self.model.tokenizer(), read_chat_template(Path(folder))
        self.end = torch.tensor([text_end(self.tokenizer)[0]])

    @torch.no_grad()
    def __call__(self, rows, completions):
        pairs = zip(rows, completions, strict=True)
        texts = [self._tokens(row["prompt"], text)[-self.recipe.context :] for row, text in pairs]
        lengths = torch.tensor(list(map(len, texts)))
        tokens = torch.zeros(len(texts), int(lengths.max()), dtype=torch.int64)
        for row, text in zip(tokens, texts, strict=True):
            row[: len(text)] = text
        rewards = self.model.rewards(tokens, lengths)
        if not rewards.isfinite().all():
            place = int((~rewards.isfinite()).nonzero()[0])
            raise RunError(f"reward {self.folder} is {rewards[place]:g} for completion {completions[place][:60]!r}")
        return rewards.tolist()

    def _tokens(self, prompt, text):
        if not isinstance(prompt, list):
            return torch.cat([self.tokenizer.encode(prompt), self.tokenizer.encode(text), self.end])
        if self.template is None:
            raise RunError(f"reward {self.folder} has no chat template, which prompts of messages need: train it with one")
        try:
            known, own = self.template.reply(self.tokenizer, prompt, _reply(text.translate(dict.fromkeys(map(ord, PRIVATE)))))
        except DataError as error:
            raise RunError(f"reward {self.folder}: {error}") from None
        special = set(map(self.tokenizer.special, self.tokenizer.special_tokens))
        ended = len(own) > 0 and own[-1].item() in special
        return torch.cat([known, own] if ended else [known, own, self.end])


def _reply(text):
    return [{"role": "assistant", "content": text}]


def require_rewards(names):
    """OptionError for a name of none; RunError for a file that is not there, and for a run without a reward model."""
    for name in names:
        if name in READY:
            continue
        if Path(name).is_dir():
            if Run.open(name).asked["fields"].get("method") != "reward":
                raise RunError(WITHOUT.format(name))
            continue
        if ".py" not in name:
            raise OptionError(f"reward is {name!r}; it must be {', '.join(READY)}, FILE.py:FUNCTION or the run of a reward model")
        named_function(name)
