"""Language models of tokens with a state: sampled token by token, at the same cost however many there were."""

import torch

from practice_torch.engine.artifacts import Text
from practice_torch.engine.experiment import Phase
from practice_torch.experiments.language.generation import generate_from_state
from practice_torch.experiments.language.token_language import TokenLanguageModel

LONGER = 4  # length of a sample in training windows: a state has no context length


class StateLanguageModel(TokenLanguageModel):
    """A network of tokens that goes on from a state: from start(batch), by step(tokens [B], state).

    rates: those of the phase, where parameters have their own learning rates.
    """

    def __init__(self, recipe, data, network, *, rates):
        super().__init__(recipe, data, network)
        self.phases = (Phase("train", ("network",), rates=rates),)
        self.kinds = data.description["vocabulary"]

    def preview(self, data):
        """Text generated after a line's end."""
        return self.sample(1)

    def sample(self, count):
        """`count` texts, drawn token by token from the state, several times as long as the windows of the training."""
        tokenizer, length = self.tokenizer(), LONGER * self.recipe.context
        begun = tokenizer.encode("\n").to(self._device()).expand(count, -1)
        uniforms = torch.rand(count, length, generator=self.generator, device=begun.device)
        written = generate_from_state(self.network, begun[:, 0], uniforms, kinds=self.kinds, given=begun[:, 1:])
        texts = map(tokenizer.decode, written)
        caption = f"{count} x {length} tokens, drawn one by one from a state of constant size."
        return {"text": Text("\n\n".join(texts), caption, tuple(texts))}
