"""Text in memory: windows of tokens as batches, and vocabularies of characters or bytes."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from practice_torch.data.indices import on_device_of

UNKNOWN = "\ufffd"


@dataclass(frozen=True)
class Vocabulary:
    """Symbols and their numbers: the 256 bytes where characters is None, otherwise the characters and, last, the unknown one.

    The unknown symbol replaces every character that the training text does not have: no training window holds it, so a
    model gives it the probability of its smoothing.
    """

    characters: str | None

    @property
    def size(self):
        """The number of symbols."""
        return 256 if self.characters is None else len(self.characters) + 1

    def encode(self, text):
        """The numbers of the text's symbols, [N]; without characters, the text may also be bytes."""
        if self.characters is None:
            raw = text.encode() if isinstance(text, str) else text
            return torch.from_numpy(np.frombuffer(raw, np.uint8).copy())
        known, codes = _code_points(self.characters), _code_points(text)
        position = np.searchsorted(known, codes).clip(max=max(len(known) - 1, 0))
        found = known[position] == codes if len(known) else np.zeros(len(codes), bool)
        return torch.from_numpy(np.where(found, position, len(known)).astype(np.int64))

    def decode(self, tokens):
        """The text of the numbers, [N]; invalid UTF-8 becomes the replacement character."""
        tokens = torch.as_tensor(tokens).tolist()
        if self.characters is None:
            return bytes(tokens).decode(errors="replace")
        symbols = self.characters + UNKNOWN
        return "".join(symbols[token] for token in tokens)


@dataclass(frozen=True, eq=False)
class Text:
    """A stream of tokens [N], in windows of context + 1 tokens: the inputs and, shifted by one, the targets.

    In the training part a window begins at every position; in the held-out part at every context-th, so that all of them
    together ask for each token after the first exactly once (but for a rest shorter than a window).
    """

    stream: torch.Tensor
    context: int
    stride: int
    vocabulary: Vocabulary
    description: dict

    def __len__(self):
        return (self.stream.shape[0] - self.context - 1) // self.stride + 1

    def batch(self, indices=None):
        """{"tokens": int64 [B, context + 1]}; every window where indices is None."""
        windows = self.stream.unfold(0, self.context + 1, self.stride)  # a view: nothing is copied
        if indices is not None:
            windows = windows.index_select(0, on_device_of(self.stream, indices))
        return {"tokens": windows.long()}

    def to(self, device):
        """The same text with its stream on the device, so that batches are gathered there."""
        return replace(self, stream=self.stream.to(device))


def _code_points(text):
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
