"""A run folder: what was asked for, what came of it, and everything that is needed to go on.

    recipe.json        topic, recipe, its fields, the data's description
    environment.json   versions, device, command, commit; seconds and peak memory
    metrics.csv        step, phase, name, value: the same bytes whether or not the run was interrupted
    times.csv          step, seconds spent training (these do differ from run to run)
    tensorboard/       the same metrics for TensorBoard, if the recipe asks for them
    checkpoints/       see checkpoint.py
    previews/          <step>-<name>.png, .txt or .wav (with its picture as .png), captions.json
    evaluation.json    the metrics on held-out data, beside the target
    samples/, study/   what `sample` drew, and what `evaluate --study` found
"""

import fcntl
import itertools
import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from practice_torch.engine.errors import RunError

METRICS_HEADER = "step,phase,name,value\n"
TIMES_HEADER = "step,seconds\n"


@dataclass(frozen=True)
class Run:
    """A run folder that exists. `asked` is the content of recipe.json."""

    folder: Path
    asked: dict

    @classmethod
    def create(cls, where, topic, name, recipe, description):
        """A new folder: `where`, which must be missing or empty, or else runs/<topic>-<recipe>-<n> with the first free n."""
        asked = {"topic": topic, "recipe": name, "fields": recipe.fields(), "data": description}
        folder = _claim(where, f"{topic.replace('/', '-')}-{name}")
        run = cls(folder, asked)
        try:
            run.write_json("recipe.json", asked)
            (folder / "metrics.csv").write_text(METRICS_HEADER)
            (folder / "times.csv").write_text(TIMES_HEADER)
            (folder / "previews").mkdir()
        except OSError as error:
            run.remove()
            raise RunError(f"cannot write into {folder}: {error.strerror}") from error
        return run

    @classmethod
    def open(cls, folder):
        """An existing run folder. RunError if it is none."""
        folder = Path(folder)
        if not folder.is_dir():
            kind = "is a file, not a run folder" if folder.exists() else "does not exist"
            raise RunError(f"{folder} {kind}; runs are folders that `train` made, by default runs/<topic>-<recipe>-<n>")
        try:
            asked = json.loads((folder / "recipe.json").read_bytes())
        except FileNotFoundError:
            raise RunError(f"{folder} is no run folder: it has no recipe.json") from None
        except (OSError, ValueError):
            raise RunError(f"{folder / 'recipe.json'} cannot be read: the file is corrupt") from None
        if not isinstance(asked, dict) or not {"topic", "recipe", "fields", "data"} <= asked.keys():
            raise RunError(f"{folder / 'recipe.json'} was not written by this engine")
        return cls(folder, asked)

    @property
    def checkpoints(self):
        return self.folder / "checkpoints"

    @contextmanager
    def locked(self):
        """Held while training: two writers would destroy each other's files."""
        with open(self.folder / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RunError(f"{self.folder} is being written by another process") from None
            yield

    def remove(self):
        """For a run that never came to its first checkpoint: nothing half-written stays behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def write_json(self, name, content):
        """Replace a JSON file as a whole."""
        aside = self.folder / f".{name}"
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        aside.replace(self.folder / name)

    def save_artifacts(self, artifacts, step):
        """Write artifacts as previews/<step>-<name>, with their captions beside them. The paths."""
        return save_artifacts(artifacts, self.folder / "previews", prefix=f"{step:08d}-")

    def restored_recipe(self, recipe_class):
        """The recipe of recipe.json, checked by its class. JSON has no tuples: lists become tuples again."""
        fields = {key: tuple(value) if isinstance(value, list) else value for key, value in self.asked["fields"].items()}
        try:
            return recipe_class(**fields)
        except (TypeError, ValueError) as error:
            raise RunError(f"{self.folder / 'recipe.json'} does not fit the recipe of {self.asked['topic']}: {error}") from None


class Records:
    """What a run writes down as it goes: metrics.csv, times.csv and, if asked, TensorBoard's files. Without a folder: nothing.

    lengths: how long the two files were when the checkpoint was made from which the run goes on. tensorboard: the step from
    which on its files are written, None for no files.
    """

    def __init__(self, folder, lengths=None, tensorboard=None):
        self._rows, self._board = (), None
        if folder is None:
            return
        files = zip(("metrics.csv", "times.csv"), lengths or (None, None), strict=True)
        self._rows = [Rows(folder / name, length) for name, length in files]
        if tensorboard is not None:
            self._board = _tensorboard(folder / "tensorboard", tensorboard)

    def add(self, step, phase, name, value):
        """One number of one phase at one step."""
        if self._rows:
            self._rows[0].add(step, phase, name, value)
        if self._board:
            self._board.add_scalar(f"{phase}/{name}", value, step)

    def time(self, step, seconds):
        """The seconds that training has taken until this step; all rows so far can be read by others from here on."""
        if self._rows:
            self._rows[1].add(step, round(seconds, 3))
        for rows in self._rows:
            rows.flush()

    def sync(self):
        """Everything on disk; how long the two files are."""
        return [rows.sync() for rows in self._rows]

    def close(self):
        for file in (*self._rows, *filter(None, [self._board])):
            file.close()


def _tensorboard(folder, step):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError("--tensorboard needs the package tensorboard: pip install tensorboard, or leave the flag out") from None
    return SummaryWriter(folder, purge_step=step + 1)  # what an interrupted run wrote after its last checkpoint comes again


class Rows:
    """A CSV file that grows row by row, and can be cut back to where a checkpoint saw it."""

    def __init__(self, path, length=None):
        self._file = open(path, "r+", encoding="utf-8", newline="")  # noqa: SIM115 - open as long as the run
        if length is not None:
            if path.stat().st_size < length:
                raise RunError(f"{path} has {path.stat().st_size} bytes; the checkpoint saw {length}: the file was cut")
            self._file.truncate(length)
        self._file.seek(0, os.SEEK_END)

    def add(self, *cells):
        self._file.write(",".join(repr(cell) if isinstance(cell, float) else str(cell) for cell in cells) + "\n")

    def sync(self):
        """On disk; the file's length."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def flush(self):
        self._file.flush()

    def close(self):
        self._file.close()


def save_artifacts(artifacts, folder, prefix=""):
    """Write every artifact as <prefix><name><suffix>, beside it its picture if it has one, and add captions. The paths."""
    folder.mkdir(parents=True, exist_ok=True)
    captions_file = folder / "captions.json"
    captions = json.loads(captions_file.read_text(encoding="utf-8")) if captions_file.exists() else {}
    paths = []
    pictures = [(name, artifact.picture) for name, artifact in artifacts.items() if hasattr(artifact, "picture")]
    for name, artifact in (*artifacts.items(), *pictures):
        path = folder / f"{prefix}{name}{artifact.suffix}"
        aside = folder / f".{path.name}"  # the same suffix: writers choose the format by it
        artifact.save(aside)
        aside.replace(path)
        captions[path.name] = artifact.caption
        paths.append(path)
    aside = folder / ".captions.json"
    aside.write_text(json.dumps(captions, indent=1) + "\n", encoding="utf-8")
    aside.replace(captions_file)
    return paths


def _claim(where, name):
    """Make the folder, or say why not."""
    try:
        if where is None:
            parent = Path("runs")
            parent.mkdir(exist_ok=True)
            for number in itertools.count(1):
                folder = parent / f"{name}-{number}"
                if not folder.exists():
                    folder.mkdir()
                    return folder
        folder = Path(where)
        folder.mkdir(parents=True, exist_ok=True)
        occupied = next(folder.iterdir(), None)
    except OSError as error:
        raise RunError(f"cannot make the run folder {where or 'runs/' + name}: {error.strerror}") from None
    if occupied is not None:
        raise RunError(f"{folder} is not empty ({occupied.name}); give another --run, or go on with `train --resume {folder}`")
    return folder
