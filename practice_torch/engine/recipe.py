"""Recipes: all settings of a run, as one frozen dataclass whose fields are the flags of the command line."""

import dataclasses
import functools
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import tyro

from practice_torch.engine.bounds import Above, AtLeast, Bounded, Finite
from practice_torch.engine.modality import options_of

# Set by the topic, not on the command line: hidden from the flags.
Fixed = Annotated[str, tyro.conf.Fixed, tyro.conf.Suppress]
Direction = Annotated[Literal["lower", "higher"], tyro.conf.Fixed, tyro.conf.Suppress]

# The fields that a topic's recipe may declare again, with the same type: for another default, and its own words for the data.
# All others mean the same in every run, because the engine alone reads them: a recipe gives them values.
REDECLARABLE = ("data", "held_out", "steps", "batch_size", "learning_rate", "metric", "direction")

# The fields that a recipe without data does not have.
OF_DATA = (
    "data",
    "image_size",
    "only_class",
    "examples_per_class",
    "held_out",
    "placement",
    "workers",
    "data_parts",
    "augment_flip",
    "augment_shift",
    "augment_gain",
)


def shown(kind: Any, default: str) -> Any:
    """The type of a field whose default is described in words."""
    return Annotated[kind, tyro.conf.arg(help_behavior_hint=f"(default: {default})")]


@dataclass(frozen=True)
class Recipe(Bounded):
    """Fields of every recipe. An experiment derives its recipe from this class alone and adds the sizes of its model."""

    # The module of practice_torch/data that loads `data`. None: the experiment draws all that it learns from, no data are
    # loaded, and the recipe has none of the fields OF_DATA.
    modality: ClassVar[str | None] = "images"
    # Whether a run that begins from one of the same class (--from) takes its weights by the topic's `begin`, as from others, and
    # not all of its state and fields: of a model that is tuned in several ways, one after another.
    begins_anew: ClassVar[bool] = False

    data: str = "digits"
    """Name of an embedded data set, or path of your own file or folder."""
    image_size: Annotated[int | None, AtLeast(1)] = None
    """Side of the squares that your own images, of any sizes, are resized and cropped to; none: they keep their one size."""
    only_class: Annotated[int | None, AtLeast(0)] = None
    """Number of the one class whose images are used, in training and evaluation; none: all of them."""
    examples_per_class: Annotated[tuple[int, ...], AtLeast(1)] = ()
    """Images of a class that are trained on, at most, drawn by the seed: one number for all classes, or one for each; empty: all.
    Those held out stay as they are.
    """
    steps: Annotated[int, AtLeast(1)] = 1000
    """Number of updates of every phase."""
    batch_size: Annotated[int, AtLeast(1)] = 64
    """Examples in a batch, of which several processes take equal shares; a smaller data set is a single batch."""
    learning_rate: Annotated[float, Above(0)] = 1e-3
    """Step size of Adam."""
    beta1: Annotated[float, AtLeast(0, below=1)] = 0.9
    """Decay of Adam's first moment."""
    beta2: Annotated[float, AtLeast(0, below=1)] = 0.999
    """Decay of Adam's second moment."""
    weight_decay: Annotated[float, AtLeast(0)] = 0.0
    """Decoupled weight decay (AdamW) of matrices and kernels; biases and gains are never decayed. 0 is plain Adam."""
    warmup_steps: Annotated[int, AtLeast(0)] = 0
    """Steps in which the learning rate rises linearly from near zero."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate after the warm-up."""
    final_learning_rate: Annotated[float, AtLeast(0, at_most=1)] = 0.0
    """Final value of the cosine schedule, as a fraction of the learning rate."""
    accumulate: Annotated[int, AtLeast(1)] = 1
    """Number of batches over which gradients are accumulated for one update."""
    clip_norm: Annotated[float, AtLeast(0)] = 0.0
    """Maximum global norm of a phase's gradient; 0: no clipping."""
    average_decay: Annotated[float, AtLeast(0, below=1)] = 0.0
    """Decay of the averaged weights, which evaluations and samples then use; 0: no averaging."""
    seed: Annotated[int, AtLeast(0)] = 0
    """Seed of the split, the initial weights, the order of the examples and all random numbers."""
    held_out: Annotated[float, Above(0, below=1)] = 0.1
    """Fraction of the data kept for evaluation."""
    placement: Literal["auto", "device", "stream"] = "auto"
    """Placement of prepared data: on the device, or streamed from the disk; auto: device, if half its free memory suffices.
    Data that is not prepared is always on the device.
    """
    workers: Annotated[int, AtLeast(0)] = 4
    """Processes that read streamed data, for each process of the training; 0: the training reads them itself."""
    data_parts: Annotated[int, AtLeast(1)] = 1
    """Data behind a URL: parts of a batch, each with its own shards, so that every one of as many processes fetches its share of
    the data, and a run may go on with any number of them; 1: every process fetches all.
    """
    augment_flip: bool = False
    """Images: mirror each, left to right, with probability 1/2."""
    augment_shift: Annotated[int, AtLeast(0)] = 0
    """Images: shift each by up to this many pixels along both axes; the border is zero (black)."""
    augment_gain: Annotated[float, AtLeast(0)] = 0.0
    """Sounds: attenuate each by up to this many decibels; amplification would clip."""
    log_every: Annotated[int, AtLeast(1)] = 50
    """Steps averaged into one row of metrics.csv."""
    evaluate_every: Annotated[int, AtLeast(1)] = 1000
    """Steps between evaluations on the held-out data and previews."""
    patience: Annotated[int, AtLeast(0)] = 0
    """Evaluations in a row without a better metric after which the training stops; evaluations and samples then use the weights
    of the best one, which are kept as with --keep-best. 0: train to the last step, and use the last weights.
    """
    checkpoint_every: Annotated[int, AtLeast(1)] = 1000
    """Maximum number of steps between checkpoints; one is also written before every evaluation, and the newest two are kept."""
    keep_best: bool = False
    """Also keep the weights of the evaluation with the best metric, and of the best one before it, for `sample RUN --best` and
    `evaluate RUN --best`: twice the weights on disk. Of a training in stages, evaluations within the last stage count.
    """
    keep_every: Annotated[int, AtLeast(0)] = 0
    """Also keep the checkpoint of every so many steps, a multiple of checkpoint_every, for `sample RUN --step N` and
    `evaluate RUN --step N`: for each about three times the weights on disk, with averages four times. 0: none.
    """
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the network; bfloat16 keeps float32 weights."""
    recompute_blocks: bool = False
    """Compute a block's activations again in the backward pass (gradient checkpointing): less memory, a third more work."""
    shard: bool = False
    """Shard weights, gradients and optimizer state over the processes (FSDP2)."""
    shard_copies: Annotated[int, AtLeast(0)] = 0
    """Copies of a sharded model, each split over its share of the processes (HSDP); 0: one on every machine."""
    sync_batch_norm: bool = False
    """On several GPUs: normalize by the statistics of the whole batch, as one GPU does, and not by those of each GPU's part."""
    compile: bool = True
    """Compile the networks on a GPU (torch.compile): the run starts a minute or more later, then is faster. A CPU never does."""
    cuda_graphs: bool = False
    """Replay the compiled networks as CUDA graphs: for networks with kernels that take less time than their launch."""
    tensorboard: bool = False
    """Also write the metrics and previews to RUN/tensorboard."""
    target: Annotated[float | None, Finite()] = None
    """Value that the metric should reach; none for data without a measured reference."""
    metric: Fixed = "loss"
    """Metric that is compared with the target."""
    direction: Direction = "lower"
    """Whether a lower or a higher metric is better."""

    def __init_subclass__(cls, **keywords):
        """Refuse a recipe that is not one flat dataclass, or takes an engine field for something else, which the engine reads."""
        if cls.__bases__ != (Recipe,):
            bases = ", ".join(base.__name__ for base in cls.__bases__)
            raise TypeError(f"{cls.__name__} derives from {bases}; a recipe derives from Recipe alone: declare the fields in it")
        super().__init_subclass__(**keywords)
        fields, types = {field.name for field in dataclasses.fields(Recipe)}, get_type_hints(Recipe)
        annotations = vars(cls).get("__annotations__", {})
        for name in sorted(fields & (annotations.keys() | vars(cls).keys())):
            if name not in REDECLARABLE:
                mend = "give your field another name, or set the engine's in RECIPES"
                raise TypeError(f"{cls.__name__} redeclares {name}, which all recipes share: {mend}")
            if name not in annotations or get_type_hints(cls)[name] != types[name]:
                given = annotations.get(name, "a plain attribute")
                raise TypeError(f"{cls.__name__} redeclares {name} as {given}; it must stay a field of type {types[name]}")
            if cls.modality is None and name in OF_DATA:
                raise TypeError(f"{cls.__name__} redeclares {name}, and its modality is None: leave one of them out")
        if cls.modality is None:  # a class variable takes the place of the field that dataclass would inherit
            for name in OF_DATA:
                cls.__annotations__[name] = ClassVar[None]
                setattr(cls, name, None)

    def __post_init__(self):
        for name, kind in _types(type(self)).items():
            value = getattr(self, name)
            self._require(name, _is_of(value, kind), f"of type {kind.__name__ if isinstance(kind, type) else kind}")
            sizes = [size for size in (value if isinstance(value, tuple) else (value,)) if isinstance(size, int)]
            self._require(name, all(abs(size) < 2**63 for size in sizes), "less than 2^63, as every size of a tensor")
        super().__post_init__()
        self._require("warmup_steps", self.warmup_steps < self.steps, f"less than steps ({self.steps})")
        if self.data_parts is not None:
            fits = self.batch_size % self.data_parts == 0
            self._require("data_parts", fits, f"a divisor of batch_size ({self.batch_size})")
        fits = self.keep_every % self.checkpoint_every == 0
        self._require("keep_every", fits, f"a multiple of checkpoint_every ({self.checkpoint_every}), or 0 to keep none")
        recordable = self.compile and self.accumulate == 1 and not self.shard
        self._require("cuda_graphs", recordable or not self.cuda_graphs, "False without compile, with accumulate or with shard")
        for name in ("image_size", "only_class", "examples_per_class"):
            taken = getattr(self, name) in (None, ()) or name in options_of(self.modality)
            self._require(name, taken, f"none: the data are {self.modality}")
        for name, modality in (("augment_flip", "images"), ("augment_shift", "images"), ("augment_gain", "audio")):
            self._require(name, not getattr(self, name) or self.modality == modality, f"off, since it is for {modality} only")

    def loading(self) -> dict[str, Any]:
        """Arguments of the loader next to data, held_out and seed: the fields that have the names of its options."""
        options = options_of(self.modality)
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name in options}

    def keeps_best(self) -> bool:
        """Whether the weights of the best evaluation are kept: patience ends in them."""
        return self.keep_best or self.patience > 0

    def augments(self) -> bool:
        """Whether training examples are augmented."""
        return bool(self.augment_flip or self.augment_shift or self.augment_gain)

    def reached(self, value: float) -> bool | None:
        """Whether `value` reaches the target; None if there is no target."""
        if self.target is None:
            return None
        return value <= self.target if self.direction == "lower" else value >= self.target

    def fields(self) -> dict[str, Any]:
        """The fields as a dict for JSON."""
        return dataclasses.asdict(self)


@functools.cache
def _types(recipe):
    """name -> type of a recipe's fields."""
    kinds = get_type_hints(recipe)
    return {field.name: kinds[field.name] for field in dataclasses.fields(recipe)}


def _is_of(value, kind):
    """Whether a value is of a field's type; an integer is a float, too, and a bool is neither (to typeguard it is both)."""
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if get_origin(kind) is tuple:
        kinds = parts[:1] * len(value) if isinstance(value, tuple) and parts[1:] == (...,) else parts
        return isinstance(value, tuple) and len(kinds) == len(value) and all(map(_is_of, value, kinds))
    if parts:
        return any(_is_of(value, part) for part in parts)
    return isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
