"""python -m practice_torch export: the model of a run in the layout of published weights, or as an ONNX file."""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from shlex import quote

from practice_torch.commands.exporting_card import model_card
from practice_torch.commands.options import PROGRAM
from practice_torch.commands.run_folder import asked_checkpoint, finished, opened, restored, writing
from practice_torch.engine.errors import RunError
from shared_specs.commands.errors import UsageError

TOKENIZER = "tokenizer.json"
ENDS = ("bos_token", "eos_token")


def export(command):
    """The command; returns the exit code."""
    if not command.dir and not command.onnx:
        raise UsageError("export takes RUN DIR, --onnx FILE, or both")
    which = asked_checkpoint(command)
    from practice_torch.engine.storage.run import Run

    run = Run.open(command.run)
    module, recipe = restored(run)
    entry = _entry(module, recipe)
    if command.dir and entry is None and not hasattr(module, "as_language_model"):
        raise _without_layout(run)
    remarks = []
    experiment, step = opened(run, remarks.append, which)
    if remarks:
        raise RunError(f"{remarks[0]}; name the older one with --step to export it")
    if which is None and not finished(run, recipe, step):
        mend = f"finish it with `{PROGRAM} train --resume {quote(str(run.folder))}`, or name a checkpoint with --step or --best"
        raise RunError(f"{run.folder} is unfinished, at step {step} of {recipe.steps}: {mend}")
    experiment.eval()
    published = _published(module, recipe, entry, experiment, run.asked["data"])
    if command.dir and published is None:
        raise _without_layout(run)
    if command.dir:
        _write_folder(command, run, recipe, published, experiment, step)
    if command.onnx:
        _write_onnx(command, recipe, published and published.entry, experiment)
    return 0


def _without_layout(run):
    known = f"the network of {run.asked['topic']} {run.asked['recipe']} has no published layout"
    return RunError(f"{known}: `{PROGRAM} export {quote(str(run.folder))} --onnx FILE` writes it as an ONNX file")


def _published(module, recipe, entry, experiment, description):
    """The Published form of an experiment; None if it has none."""
    from practice_torch.engine.storage.pretrained import Published

    if entry is None:
        return getattr(module, "as_language_model", lambda *_: None)(recipe, experiment, description)
    return Published(entry, recipe, description, experiment.get_submodule(entry.network).state_dict())


def _entry(module, recipe):
    """The published architecture of a recipe's network; None if there is none."""
    known = getattr(module, "PRETRAINED", {}).values()
    return next((entry for entry in known if type(module.RECIPES[entry.recipe]) is type(recipe)), None)


def _write_folder(command, run, recipe, published, experiment, step):
    """All files of DIR, at once: it is there whole, or not at all."""
    import torch

    from practice_torch.pretrained.weights import write_weights

    entry, description = published.entry, published.description
    precision = command.dtype or run.asked.get("imported", {}).get("dtype", "float32")
    precision = precision if precision in ("float16", "bfloat16") else "float32"
    tensors = entry.theirs(published.recipe, description, published.state)
    tensors = {name: tensor.to(getattr(torch, precision)) for name, tensor in tensors.items()}
    if wrong := next((name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())), None):
        raise RunError(f"{wrong} has numbers too large for {precision}: give --dtype bfloat16 or float32")
    configured = entry.files(published.recipe, description, precision)
    files = {name: json.dumps(content, indent=2) + "\n" for name, content in configured.items()}
    words, more = _tokenizer_files(experiment, description, run.folder)
    with _folder_at_once(Path(command.dir)) as draft:
        write_weights(draft, tensors, stem=entry.stem)
        card = model_card(run, recipe, step, precision, words, sum(tensor.numel() for tensor in tensors.values()))
        for name, content in {**files, **more, "README.md": card}.items():
            (draft / name).parent.mkdir(exist_ok=True)
            (draft / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    print(f"{command.dir}: {len(tensors)} tensors in {precision}, step {step}; {words}")


@contextlib.contextmanager
def _folder_at_once(folder):
    """A folder next to the one that is wanted, which takes its name in the end."""
    with writing(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(f"{folder} is not empty: name another folder, or remove it")
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            yield draft
            draft.chmod(0o755)
            draft.replace(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _tokenizer_files(experiment, description, folder):
    """(words about the tokenizer, {name: content} of its files and of the run's chat template)."""
    from practice_torch.data.reading.byte_level_json import byte_level_json
    from practice_torch.data.reading.chat_templates import TEMPLATE, read_chat_template
    from practice_torch.engine.experiment import HasTokenizer

    if not isinstance(experiment, HasTokenizer):
        return "no tokenizer", {}
    tokenizer, about = experiment.tokenizer(), description.get("tokenizer") or {}
    library = about.get("library", "bytes")
    if library == "tokenizers":
        content, words = tokenizer.content, f"{TOKENIZER} as it was imported"
    elif library == "tiktoken":
        return "the tokenizer is one of tiktoken, which has no tokenizer.json", {}
    else:
        ordinary = tokenizer.vocabulary_size - len(tokenizer.special_tokens)
        spellings = [tokenizer.decode_bytes([token]) for token in range(ordinary)]
        content = byte_level_json(spellings, tokenizer.merges, tokenizer.special_tokens)
        kind = f"{len(tokenizer.merges)} byte pairs" if tokenizer.merges else "bytes"
        words = f"{TOKENIZER} of {kind}"
        if content is None:
            return f"the tokenizer of {kind} is Diptych's, as two of its tokens are spelled alike", {}
        _require_equal(tokenizer, content)
    end = about.get("end_of_text") or next(iter(getattr(tokenizer, "special_tokens", ())), None)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    template, files = read_chat_template(folder), {TOKENIZER: content}
    if template is None:
        settings |= dict.fromkeys(ENDS, end) if end else {}
    else:  # it names the special tokens that it knows
        settings |= template.special_tokens
        files[TEMPLATE], words = template.source, f"{words}, and the chat template"
    return words, files | {"tokenizer_config.json": json.dumps(settings, indent=2) + "\n"}


def _require_equal(tokenizer, content):
    """RunError unless the file gives the same tokens, of a text with all that the tokenizer has merged."""
    from practice_torch.data.reading.tokenizer_files import TokenizerFile

    text = b" ".join(tokenizer.decode_bytes([token]) for token in range(256, tokenizer.vocabulary_size)).decode(errors="replace")
    text += "\n\tA line, 12 numbers;  two spaces \r\n caf\u00e9 \u4e16\u754c \U0001f642\u2028end"
    if TokenizerFile("tokenizers", content).encode(text).tolist() != tokenizer.encode(text).tolist():
        raise RunError(f"{TOKENIZER} would give other tokens than the model was trained with: please report it")


def _write_onnx(command, recipe, entry, experiment):
    """The ONNX file, and what it was compared with."""
    import torch

    from practice_torch.commands.exporting_onnx import write_onnx
    from practice_torch.engine.experiment import HasTokenizer

    experiment.generator = torch.Generator().manual_seed(recipe.seed)
    of_tokens = None
    if entry and isinstance(experiment, HasTokenizer):
        of_tokens = entry.network, experiment.get_submodule(entry.network).vocabulary_size
    name, difference = write_onnx(experiment, command.onnx, of_tokens)
    print(f"{command.onnx}: {name}, equal in onnxruntime to {difference:.1g} of the largest output")
