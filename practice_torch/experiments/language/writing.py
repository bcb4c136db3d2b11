"""How a language model is asked to write: the text that it continues, how long, and how each token is chosen."""

from dataclasses import dataclass
from typing import Annotated

from practice_torch.arguments import require
from practice_torch.engine.bounds import AtLeast
from practice_torch.engine.recipe import shown
from practice_torch.experiments.language.decoding import Decoding


@dataclass(frozen=True)
class Writing(Decoding):
    """Options of text generation."""

    prompt: shown(str, "a line's end") = "\n"
    """Text to continue."""
    length: Annotated[int, AtLeast(1)] = 512
    """Number of tokens to generate."""
    beams: Annotated[int, AtLeast(0)] = 0
    """Beam search with this many beams instead of sampling."""

    def __post_init__(self):
        super().__post_init__()
        require(self.prompt != "", "prompt is empty; it must have at least one character: leave it out to start a new text")
        try:
            self.prompt.encode()
        except UnicodeEncodeError:
            raise ValueError(f"prompt is {self.prompt!r}; it must be UTF-8") from None
        if self.beams:
            self._require_no_part("a search with beams", self.given())
