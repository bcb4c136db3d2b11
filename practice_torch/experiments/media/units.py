"""Images and sounds in the units of a diffusion model, and back."""

from dataclasses import dataclass

import torch

from practice_torch.engine.artifacts import Audio, ImageGrid

_WINDOW = 512  # samples of a spectrum, of sounds that have as many


class Images:
    """Images [B, C, H, W] with pixels in 0..1; the model sees -1..1."""

    limit = 1.0  # of the data's range, in the model's units

    def units(self, batch):
        """A batch in the model's units."""
        return 2 * batch["image"] - 1

    def mirrored(self, x0):
        """Left and right exchanged."""
        return x0.flip(-1)

    def judged_as(self, x):
        """Pixels in 0..1."""
        return ((x + 1) / 2).clamp(0, 1)

    def in_rows(self, x, columns, caption):
        """An artifact of all examples, with this many in a row."""
        return ImageGrid(self.judged_as(x), columns, caption)

    def shown(self, samples, label, classes):
        """Samples as artifacts, a row for each class where that fits."""
        rows = 1 < len(classes) <= 20
        columns = max(torch.bincount(label).tolist()) if rows else 10
        return {"samples": self.in_rows(samples, columns, "Drawn from noise" + (", a row for each class" if rows else ""))}

    def previewed(self, classes):
        """Number of samples in a preview."""
        return 80

    preview = shown


@dataclass(frozen=True)
class Sounds:
    """Sounds [B, 1, T] within -1..1; the model sees them multiplied by the gain."""

    gain: float
    sample_rate: int

    @property
    def limit(self):
        return self.gain

    def units(self, batch):
        """A batch in the model's units."""
        return self.gain * batch["audio"]

    def mirrored(self, x0):
        """Upside down, which no ear can tell."""
        return -x0

    def judged_as(self, x):
        """The logarithm of the spectrogram: phases, which differ from note to note, are left out."""
        size = min(_WINDOW, x.shape[-1])
        window, sounds = torch.hann_window(size, device=x.device), x[:, 0] / self.gain
        return torch.log(torch.stft(sounds, size, size // 2, window=window, return_complex=True).abs() + 0.1)

    def in_rows(self, x, columns, caption):
        """An artifact of all examples, one after another."""
        return self._played(x, f"{caption} ({columns} sounds a row)")

    def shown(self, samples, label, classes):
        """Samples as artifacts, one for each class."""
        if not classes:
            return {"sounds": self._played(samples, "Drawn from noise")}
        return {
            f"class_{number:02d}": self._played(samples[label == number], f"Generated for class {classes[number]}")
            for number in label.unique().tolist()
        }

    def previewed(self, classes):
        """Number of samples in a preview: one of every class."""
        return max(1, len(classes))

    def preview(self, samples, label, classes):
        """Samples as one artifact."""
        named = f": {', '.join(classes)}" if classes else ""
        return {"drawn": self._played(samples, f"Drawn from noise, one after another{named}")}

    def _played(self, x, caption):
        return Audio(x[:, 0].cpu() / self.gain, self.sample_rate, caption)
