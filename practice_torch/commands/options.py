"""The commands of practice_torch and their options."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from shared_specs.commands.errors import UsageError
from shared_specs.commands.parsing import command_name, flags, parsed_with_rest, unknown_argument

PROGRAM = "python -m practice_torch"


@dataclass(frozen=True)
class List:
    """Show what can be trained: topics, their recipes, and which have a study. With TOPICs only those.

    `list --sizes [TOPIC ...]` measures what each recipe takes: parameters, operations of a step, memory, hours.
    """

    topics: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[TOPIC ...]")] = ()
    """Only these: family/topic, a unique part of it, or a lecture number."""
    sizes: bool = False
    """The cost of each recipe at full size, and published results: from shapes, about a second a recipe, without loading data."""
    json: bool = False
    """Print JSON instead of a table."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Train:
    """Train a recipe of a topic: train TOPIC RECIPE [--field value ...], or continue a stopped run: train --resume RUN.

    TOPIC is family/topic, a unique part of it, or a lecture number; `list` shows the topics that train, and their recipes.
    `train TOPIC RECIPE --help` lists the recipe's fields; --data, --steps, --seed, --checkpoint-every, --keep-best and
    --keep-every are among them.
    """

    run: str | None = None
    """The run's folder, missing or empty (default: runs/<topic>-<recipe>-<n>)."""
    from_: Annotated[str | None, tyro.conf.arg(name="from")] = None
    """A run whose weights the training begins from, or a model that comes with the package: of the same topic (without TOPIC
    RECIPE: the run's own recipe), or of one that the topic begins from. Sizes and tokenizer are its own; optimizer and schedule
    are new.
    """
    resume: str | None = None
    """A stopped run to continue, from its newest checkpoint; with --steps N it, or an ended one, takes more steps."""
    cpu: bool = False
    """Train on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Sample:
    """Draw from a trained model, into RUN/samples; text is also printed: sample RUN [--option value ...].

    `sample RUN --help` lists the options that the model itself has, such as the text to continue. `sample RUN --count 50000
    --out DIR` writes a file for each sample, as tools that judge samples read them; stopped and repeated, it goes on.
    `sample RUN --prompts FILE --out FILE.jsonl` completes every prompt of a file; stopped and repeated, it goes on, too.
    `sample digits`, `sample notes` and `sample pydoc` need no training: these models come with the package.
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """A run folder; or the name of a model that comes with the package (`list` shows them), which is copied to
    runs/example-<name>.
    """
    count: int = 64
    """Number of samples."""
    seed: int | None = None
    """Seed of the samples, reproducible on the same kind of device; without it, the run's seed."""
    best: bool = False
    """Draw with the weights of the best evaluation, of a run with --keep-best (with --patience they are the default)."""
    step: int | None = None
    """Draw with the checkpoint of this step: the newest two are there, and those that --keep-every keeps."""
    out: str | None = None
    """A folder for one file a sample: images as png in their own pixels, sounds as wav, texts as txt; points are one array,
    samples.npz. It is missing, empty, or begun by this very command, which then draws what is missing.
    """
    format: Literal["npz"] | None = None
    """With --out: npz writes all images [N, H, W, C] in uint8, or all sounds [N, T], as arr_0 of samples.npz."""
    batch: int = 500
    """With --out: samples drawn at once; each batch has random numbers of its own."""
    prompts: str | None = None
    """Of a transformer of tokens: a file of prompts to complete, .txt (one a line) or .jsonl ({"prompt": TEXT} or {"messages":
    [...]} on every line), into the file of --out. --length, --greedy, --top-p and the model's other options hold for each.
    """
    completions: int = 1
    """With --prompts: completions of each prompt."""
    stop: tuple[str, ...] = ()
    """With --prompts: where a completion ends: names of special tokens, or texts; none: at the end of a text or a turn."""
    chat: bool = False
    """With --prompts: every prompt is a user's message, and the run's chat template makes the model's turn of it."""
    float32: bool = False
    """Compute in float32 on an accelerator, even if the run was trained in bfloat16."""
    cpu: bool = False
    """Sample on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained model on its held-out data again, and write RUN/evaluation.json, which names the step of the weights.

    `evaluate RUN --samples 500` also judges 500 of its samples: images by Frechet and kernel distance, precision and recall, and
    two tests for copies of the training data; sounds by the Frechet audio distance; text by bits per byte, repetition, and the
    Frechet distance, precision and recall of passages. Features of sounds and passages are hidden layers of small networks that
    are trained for this in seconds. Each number has a 95% interval and is shown next to a baseline and real data.
    RUN/sample_metrics.json contains them.

    `evaluate RUN --samples 50000 --inception FILE` computes what papers report of images, into RUN/published_metrics.json: the
    FID of all samples and the whole training set, the kernel distance, precision and recall, and the inception score. `--samples
    DIR` judges the files of `sample RUN --count 50000 --out DIR`, which takes the sampler's options and continues after a stop.
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """A run folder."""
    samples: str | None = None
    """Number of samples to judge, of a finished run, or with --inception a folder of images; none: no samples are judged."""
    inception: str | None = None
    """File of the Inception network's weights, pt_inception-2015-12-05-6726825d.pth, which gives the image features of published
    numbers; without it: principal components of the training images.
    """
    against: str | None = None
    """With --inception, what the samples are compared with: train (the default) or held-out, the parts of the run's data; a
    folder of images; an .npz with images (arr_0), or with the mean and covariance of Inception's features (mu, sigma).
    """
    clean: bool = False
    """With --inception: resize images to its 299 pixels as clean-fid does, antialiased; without it as published FIDs did."""
    float32: bool = False
    """With --inception: draw the samples in float32 on an accelerator, even if the run was trained in bfloat16."""
    best: bool = False
    """Measure the weights of the best evaluation, of a run with --keep-best (with --patience they are the default)."""
    step: int | None = None
    """Measure the checkpoint of this step: the newest two are there, and those that --keep-every keeps."""
    data: str | None = None
    """Data to measure an imported model on: the held-out part, the same that `train --from RUN --data` holds out."""
    study: bool = False
    """Also run the model's study, if it has one: measurements that take longer than an evaluation, written into RUN/study."""
    cpu: bool = False
    """Evaluate on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Report:
    """Write RUN/report.html: curves, samples, and the metric against its target; or one page that compares several runs."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN ...]")]
    """A run folder, or several to compare."""
    out: str | None = None
    """Another file to write to (default: RUN/report.html; for several runs comparison.html next to the first)."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Judge:
    """Compare samples of runs by eye or ear, in a browser: judge RUN RUN [RUN ...], or judge SESSION to continue one.

    One local page shows pairs of samples without saying which run drew them. Each verdict is saved at once. At the end, and by
    `report SESSION`, the scores are printed: shares of wins, Bradley-Terry scores, agreement of several judges.
    """

    runs: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN RUN ...")]
    """Folders of runs that draw images, sounds or texts; or the folder of a session."""
    count: int = 20
    """Number of comparisons of every two runs."""
    judge: str | None = None
    """Who judges (default: the name of the user). Several judges may continue one session, one after another."""
    out: str | None = None
    """The session's folder, missing or empty (default: `judged` next to the first run)."""
    seed: int = 0
    """Seed of the samples, of the pairs and of their sides."""
    port: int = 0
    """Port of the page on 127.0.0.1 (0: any that is free)."""
    browser: bool = True
    """Open the page in the browser."""
    cpu: bool = False
    """Sample on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Project:
    """Train the models of a project, judge them together, and write one report: project NAME; without NAME, list the projects.

    The folder holds report.html, the table as results.json, and the run of every model. Repeat the
    command to continue a project that was stopped; it ends in the same numbers.
    """

    name: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[NAME]")] = None
    """A project; none, or list: show them."""
    out: str | None = None
    """The folder, missing, empty or that of the same project (default: runs/project-<NAME>)."""
    seed: int = 0
    """Seed of all models: their data's split, first weights and random numbers."""
    data: str | None = None
    """Other data for all models, in the forms that `train TOPIC RECIPE --help` names; expectations are then not checked. A model
    of sounds in a project about images keeps its own.
    """
    vgg: str | None = None
    """Of style_transfer: a file with the weights of torchvision's vgg19 (safetensors, or torch's state dictionary). Two images of
    yours, --content and --style, are then combined by its features, and nothing is trained; nothing is downloaded.
    """
    content: str | None = None
    """With --vgg: the image that gets a style; sides are scaled down to 512 pixels."""
    style: str | None = None
    """With --vgg: the image whose style it gets."""
    style_weight: float | None = None
    """With --vgg: weight of the style loss next to the content loss, both relative to an image without features (default: 10)."""
    json: bool = False
    """Print JSON instead of a table."""
    cpu: bool = False
    """Train on the CPU even where there is an accelerator."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Import:
    """Make a run folder of published weights: import FOLDER, a local folder in Hugging Face's layout; nothing is downloaded.

    FOLDER has config.json, safetensors (one file, or shards with their index) and, for models of text, tokenizer.json. `sample`,
    `evaluate`, `report`, `export` and `train --from` take the run.
    """

    folder: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="FOLDER")]
    """A folder of published weights."""
    run: str | None = None
    """The run's folder, missing or empty (default: runs/<topic>-<recipe>-<n>)."""
    data: str | None = None
    """Data of the run, of which the held-out part is evaluated; without it `evaluate RUN --data` names some."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Export:
    """Write the model of a run in Hugging Face's layout: export RUN DIR; or any network that `sample` calls as an ONNX file.

    DIR gets config.json, model.safetensors, generation_config.json, tokenizer.json where the tokenizer can be written so, and
    README.md, a model card. `from_pretrained(DIR)` of transformers or diffusers computes the same.
    """

    run: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN")]
    """A run folder."""
    dir: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[DIR]")] = None
    """A folder, missing or empty."""
    dtype: Literal["float16", "bfloat16", "float32"] | None = None
    """Precision of the weights (default: that of the imported ones; of a run trained here float32)."""
    onnx: str | None = None
    """A file to write the network to in ONNX's format; it is compared with onnxruntime, and not written if the two differ."""
    best: bool = False
    """Export the weights of the best evaluation, of a run with --keep-best (with --patience they are the default)."""
    step: int | None = None
    """Export the checkpoint of this step."""
    debug: bool = False
    """Show the traceback of an error."""


@dataclass(frozen=True)
class Prepare:
    """Prepare data that does not fit into memory: prepare MODALITY SOURCES... --out DIR; see `prepare --help`."""

    debug: bool = False
    """Show the traceback of an error."""


# Commands with further options, which depend on their first N words (the topic and recipe, or the run): after those words,
# `--help` lists these options too.
OPEN = {"train": 2, "sample": 1}
COMMANDS = {
    "list": List,
    "prepare": Prepare,
    "train": Train,
    "sample": Sample,
    "evaluate": Evaluate,
    "report": Report,
    "judge": Judge,
    "project": Project,
    "import": Import,
    "export": Export,
}


def parse(arguments, description):
    """The command, and a tuple of what else its function takes: the words that belong to a recipe or a model; for train, before
    them, TOPIC and RECIPE, as far as they are given.
    """
    name = command_name(COMMANDS, arguments, description, PROGRAM)
    if name == "prepare":  # commands/preparing.py parses its arguments
        return Prepare(), (arguments[1:],)
    words, rest = _leading_words(arguments[1:]), arguments[1:]
    helping = {"-h", "--help"} & set(rest) and len(words) == OPEN.get(name)
    if helping:
        rest = [word for word in rest if word not in ("-h", "--help")]
    if name == "train":
        rest = rest[len(words) :]
    program = f"{PROGRAM} {name}{' TOPIC RECIPE' if name == 'train' else ''}"
    command, unknown = parsed_with_rest(COMMANDS[name], rest, program)
    if name in OPEN:
        unknown = [*unknown, "--help"] if helping else unknown
        return command, (words, unknown) if name == "train" else (unknown,)
    if unknown:
        raise unknown_argument(unknown[0], name, flags(COMMANDS[name]))
    return command, ()


def changed(options, words, of, program, **presentation):
    """A copy of the frozen dataclass with the fields given on the command line replaced. of: what the fields belong to."""
    known = flags(options)
    for word in words:
        name = word.split("=")[0]
        if word.startswith("--") and name.replace("_", "-") not in known and word != "--help":
            raise unknown_argument(name, of, sorted(known))
    result, unknown = parsed_with_rest(type(options), words, program, default=options, **presentation)
    if unknown:
        raise UsageError(f"{unknown[0]!r} belongs to no option of {of}")
    return result


def _leading_words(arguments):
    words = []
    for word in arguments:
        if word.startswith("-"):
            break
        words.append(word)
    return words
