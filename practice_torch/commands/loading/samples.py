"""What a trained model has drawn: artifacts by name, their tensors and texts, and all of them on a notebook's page."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from practice_torch.engine.artifacts import Artifact, Audio, Figure, ImageGrid, Text
from practice_torch.engine.storage.run import save_artifacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor


class Samples(Mapping):
    """Artifacts by name. `images`, `sounds`, `points` and `texts` are what they hold; AttributeError where they hold none."""

    def __init__(self, artifacts: Mapping[str, Artifact]) -> None:
        self._artifacts = dict(artifacts)

    def __getitem__(self, name: str) -> Artifact:
        return self._artifacts[name]

    def __iter__(self) -> "Iterator[str]":
        return iter(self._artifacts)

    def __len__(self) -> int:
        return len(self._artifacts)

    @property
    def images(self) -> "Tensor":
        """Images in 0..1, [N, C, H, W], on the model's device."""
        return _joined(grid.images for grid in self._of(ImageGrid, "images"))

    @property
    def sounds(self) -> "Tensor":
        """Waveforms in -1..1, [N, T]; `sample_rate` is their rate in Hz."""
        return _joined(sound.samples.reshape(-1, sound.samples.shape[-1]) for sound in self._of(Audio, "sounds"))

    @property
    def sample_rate(self) -> int:
        """Rate of the sounds, in Hz."""
        return self._of(Audio, "sounds")[0].sample_rate

    @property
    def points(self) -> "Tensor":
        """Points, [N, D]."""
        return _joined(figure.points for figure in self._of(Figure, "points") if figure.points is not None)

    @property
    def texts(self) -> list[str]:
        """Texts, one for each sample that the model wrote by itself."""
        return [each for text in self._of(Text, "texts") for each in text.each or (text.text,)]

    def save(self, folder: str | Path, prefix: str = "") -> list[Path]:
        """Write every artifact into the folder, as <prefix><name> and png, wav or txt; returns the paths."""
        return save_artifacts(self._artifacts, Path(folder), prefix)

    def _of(self, kind, words):
        found = [one for one in self.values() if isinstance(one, kind) and (kind is not Figure or one.points is not None)]
        if not found:
            held = ", ".join(f"{name} ({type(one).__name__})" for name, one in self.items())
            raise AttributeError(f"these samples hold no {words}; they hold {held}")
        return found

    def __repr__(self) -> str:
        return f"Samples({', '.join(f'{name}: {_size(one)}' for name, one in self.items())})"

    def _repr_html_(self) -> str:
        return "".join(artifact._repr_html_() for artifact in self.values())


def _joined(tensors):
    import torch

    return torch.cat(list(tensors))


def _size(artifact):
    """A kind of artifact and its size, as [16, 1, 8, 8] of images."""
    match artifact:
        case ImageGrid():
            return f"ImageGrid {list(artifact.images.shape)}"
        case Audio():
            return f"Audio {list(artifact.samples.shape)} at {artifact.sample_rate} Hz"
        case Figure() if artifact.points is not None:
            return f"Figure of points {list(artifact.points.shape)}"
        case Text():
            return f"Text of {len(artifact.text)} characters"
    return type(artifact).__name__
