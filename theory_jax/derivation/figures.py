"""Figures of a derivation: a drawing, or one for each moment that a reader can choose."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from theory_jax.derivation.kinds import require

COLUMNS = 3  # of the frames on paper


@dataclass(frozen=True, eq=False)
class Figure:
    """A caption, and what draws on the axes that it is given; with frames, it is also given the frame's number.

    frames: the label of every drawing, with mathematics between dollar signs ("$t = 0.5$"); none for a single drawing.
    """

    caption: str
    draw: Callable
    panels: int = 1
    frames: tuple[str, ...] = ()

    def execute(self):
        """The matplotlib figures, one for each frame.

        Refuses one without a caption, without names of its axes, or that draws nothing; frames on different axes, in which a
        change of scale would look like a movement, and a frame that shows what the one before it shows.
        """
        require(self.caption.strip(), "a figure needs a caption")
        require(len(self.frames) != 1, f"the figure {self._begins} has one frame; a figure that does not move has none")
        canvases = [self._canvas(*number) for number in zip(range(len(self.frames)))] if self.frames else [self._canvas()]
        spans = [[(*panel.get_xlim(), *panel.get_ylim()) for panel in canvas.axes] for canvas in canvases]
        require(all(span == spans[0] for span in spans), f"the frames of {self._begins} have different axes; set their limits")
        for before, after, label in zip(canvases, canvases[1:], self.frames[1:], strict=False):
            changed = _shown(before) != _shown(after)
            require(changed, f"the frame {label!r} of {self._begins} shows what the one before it shows")
        return canvases

    def on_paper(self):
        """One matplotlib figure, with all frames side by side."""
        from matplotlib.figure import Figure as Canvas

        if not self.frames:
            return self.execute()[0]
        rows = -(-len(self.frames) // COLUMNS)
        canvas = Canvas(figsize=(2.8 * COLUMNS * self.panels, 2.4 * rows), layout="constrained")
        parts = canvas.subfigures(rows, COLUMNS, squeeze=False).flat
        for number, (part, label) in enumerate(zip(parts, self.frames, strict=False)):
            part.suptitle(label)
            self.draw(*part.subplots(1, self.panels, squeeze=False)[0], number)
        return canvas

    @property
    def _begins(self):
        return repr(self.caption[:40])

    def _canvas(self, *number):
        from matplotlib.figure import Figure as Canvas

        canvas = Canvas(figsize=(4.2 * self.panels if self.panels > 1 else 5.4, 3.2), layout="constrained")
        axes = canvas.subplots(1, self.panels, squeeze=False)[0]
        self.draw(*axes, *number)
        for panel in axes:
            require(panel.has_data(), f"the figure {self._begins} draws nothing on one of its axes")
            named = panel.get_xlabel() and (panel.get_ylabel() or panel.get_title())
            require(named or not panel.axison, f"the figure {self._begins} does not say what its axes are")
        return canvas


def _shown(canvas):
    """What is drawn, as bytes: the points of lines, of areas and of scattered marks, and the entries of images."""
    found = []
    for panel in canvas.axes:
        found += [line.get_xydata() for line in panel.lines]
        found += [patch.get_transform().transform_path(patch.get_path()).vertices for patch in panel.patches]
        found += [path.vertices for collection in panel.collections for path in collection.get_paths()]
        found += [collection.get_offsets() for collection in panel.collections]
        found += [drawn.get_array() for drawn in (*panel.images, *panel.collections) if drawn.get_array() is not None]
    return [np.ma.filled(np.ma.asarray(part, dtype=float), np.nan).tobytes() for part in found]
