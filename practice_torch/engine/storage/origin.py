"""The origin of a run that begins from the weights of another: which run, which weights, and their tokenizer."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from practice_torch.data.reading.model_tokenizer import ModelTokenizer
from practice_torch.engine.errors import RunError
from practice_torch.engine.experiment import Experiment, HasTokenizer
from practice_torch.engine.recipe import Recipe
from practice_torch.engine.storage.run import Run, difference
from practice_torch.engine.storage.state import require_weights


@dataclass(frozen=True)
class Origin:
    """A trained model from which a run begins. whole: all of its state is taken over; otherwise the new experiment's `start`
    takes what it needs.
    """

    run: Run
    experiment: Experiment  # with its weights
    step: int
    whole: bool

    def facts(self) -> dict[str, Any]:
        """What recipe.json records: enough to find the weights again, and to see that they are the same."""
        asked, weights = self.run.asked, self.experiment.state_dict()
        named = {"topic": asked["topic"], "recipe": asked["recipe"], "step": self.step}
        return {"folder": str(self.run.folder.absolute())} | named | {"sha256": digest(weights)}

    def tokenizer(self) -> ModelTokenizer | None:
        """The tokenizer of the model, if it has one."""
        return tokenizer_of(self.run, self.experiment)

    def require_recorded(self, run: Run) -> None:
        """RunError unless these are the weights from which that run began."""
        then, now = run.asked["from"], self.facts()
        if then["sha256"] != now["sha256"]:
            found = f"it then had step {then['step']}, and now step {self.step}, with other weights"
            raise RunError(
                f"{self.run.folder} has changed since {run.folder} began from it: {found}; train again from another --run"
            )

    def hand_over(self, experiment: Experiment, recipe: Recipe) -> None:
        """Load all of its state into another experiment, of this recipe. RunError if that is of other sizes."""
        weights = self.experiment.state_dict()
        try:
            require_weights(experiment.state_dict(), weights)
        except RunError as error:
            common = {field.name for field in dataclasses.fields(Recipe)}
            ours, theirs = (
                {k: v for k, v in of.items() if k not in common} for of in (recipe.fields(), self.run.asked["fields"])
            )
            differ = difference(theirs, json.loads(json.dumps(ours)))
            raise RunError(f"{self.run.folder} cannot be begun from{f' ({differ})' if differ else ''}: it {error}") from None
        experiment.load_state_dict(weights)


def tokenizer_of(run: Run, experiment: Experiment) -> ModelTokenizer | None:
    """The tokenizer of a run's model, once its weights are loaded; None of a model without one."""
    if not isinstance(experiment, HasTokenizer):
        return None
    from practice_torch.data.reading.chat_templates import read_chat_template  # Jinja, of which images need nothing

    about = run.asked["data"]
    return ModelTokenizer(experiment.tokenizer(), about.get("tokenizer"), about["vocabulary"], read_chat_template(run.folder))


def digest(weights: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of named tensors, in the order of their names."""
    found = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()
