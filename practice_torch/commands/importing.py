"""python -m practice_torch import: a folder of published weights becomes a run. Nothing is downloaded, and nothing unpickled."""

import dataclasses
import hashlib
from pathlib import Path

from practice_torch.commands.options import PROGRAM
from practice_torch.commands.recipes import module_of, pretrained_topics
from practice_torch.data.errors import DataError
from practice_torch.engine.errors import RunError

CONFIGS = ("config.json", "unet/config.json")  # of transformers, and of a pipeline of diffusers


def import_weights(command):
    """The command; returns the exit code."""
    folder = Path(command.folder).expanduser()
    model_type = _model_type(folder)
    topics = pretrained_topics()
    if model_type not in topics:
        raise DataError(f"{folder} has a model of type {model_type!r:.60}, which no network here is; known: {', '.join(topics)}")
    from practice_torch.data.reading.chat_templates import read_chat_template
    from practice_torch.engine.batches.datasets import load_data
    from practice_torch.engine.storage.imported import write_imported
    from practice_torch.pretrained.weights import read_weights

    path = topics[model_type]
    module = module_of(path)
    entry = module.PRETRAINED[model_type]
    opened, template = entry.open(folder), read_chat_template(folder)
    recipe = _recipe(module.RECIPES[entry.recipe], entry, opened, command.data)
    data = load_data(recipe, _tokenizer(opened))[0] if command.data else opened.data
    tensors = read_weights(weights_folder(folder, entry.stem), stems=(entry.stem,))
    experiment = module.build(recipe, data)
    network = experiment.get_submodule(entry.network)
    read = _take(entry, opened, recipe, data, network, tensors)
    precision = "+".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}))
    source = {"folder": str(folder.absolute()), "model_type": model_type, "dtype": precision, "files": _checksums(folder)}
    run = write_imported(command.run, path, entry.recipe, recipe, data, experiment, source)
    if template is not None:
        template.write(run.folder)
    facts = {
        "model": f"{model_type}, a network of {path}: " + ", ".join(_sizes(opened.fields)),
        "parameters": f"{sum(parameter.numel() for parameter in network.parameters()):,}",
        "tensors": read,
        "precision": f"{precision} in the files, float32 here",
        **opened.facts,
        "data": command.data or f"none; `{PROGRAM} evaluate {run.folder} --data FILE` names one",
    }
    for name, fact in facts.items():
        print(f"{name:<11}{fact}")
    print(f"run folder: {run.folder}")
    return 0


def weights_folder(folder, stem):
    """Where a folder has its weights: of diffusers' pipelines in the folder of the U-Net."""
    inner = folder / "unet"
    return inner if stem != "model" and inner.is_dir() else folder


def _model_type(folder):
    """What the configuration of a folder says it is."""
    if not folder.is_dir():
        kind = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"{folder} {kind}; it must be a folder with config.json and safetensors, which you must have")
    from practice_torch.pretrained.weights import read_json_object

    file = next((folder / name for name in CONFIGS if (folder / name).is_file()), None)
    if file is None:
        raise DataError(f"{folder} has no config.json: it is no folder of a published model")
    config = read_json_object(file)
    found = config.get("model_type", config.get("_class_name"))
    if not isinstance(found, str):
        raise DataError(f"{file} names no model_type, by which the architecture is known")
    return found


def _recipe(default, entry, opened, data):
    """The recipe of a training that begins from the weights."""
    fields = {**entry.tuning, **opened.fields, "data": data or ""}
    fields |= {"merges": 0} if hasattr(default, "merges") else {}
    try:
        return dataclasses.replace(default, **fields)
    except ValueError as error:
        raise DataError(f"the sizes of the configuration are no sizes of {entry.recipe}: {error}") from None


def _tokenizer(opened):
    """The tokenizer of the weights, which encodes the text of --data; None of models of other things."""
    kept = getattr(opened.data, "vocabulary", None)
    if kept is None:
        return None
    from practice_torch.data.reading.model_tokenizer import ModelTokenizer
    from practice_torch.data.reading.tokenizer_files import TokenizerFile

    description = opened.data.description
    return ModelTokenizer(TokenizerFile(kept.library, kept.content), description["tokenizer"], description["vocabulary"])


def _take(entry, opened, recipe, data, network, tensors):
    """Load the tensors into the network, and show that they come out again as they were; returns words about how many."""
    import torch

    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    ours = entry.ours(opened, tensors, shapes)
    network.load_state_dict({name: tensor.float() for name, tensor in ours.items()})
    back = entry.theirs(recipe, data.description, network.state_dict())
    for name, tensor in back.items():
        if name in tensors and not torch.equal(tensor, tensors[name].float()):
            raise RunError(f"{name} does not come out as it went in: please report it")
    compared, more = tensors.keys() & back.keys(), sorted(tensors.keys() - back.keys())
    others = f"; {len(more)} have earlier names, or hold no weights of their own ({', '.join(more)[:60]})" if more else ""
    return f"{len(tensors)} in the files, {len(compared)} compared bit for bit after the way there and back{others}"


def _sizes(fields):
    return (
        f"{name.replace('_', ' ')} {str(value).lower() if isinstance(value, bool) else value}" for name, value in fields.items()
    )


def _checksums(folder):
    """SHA-256 of every file that was read."""
    found = {}
    for path in sorted([*folder.rglob("*.json"), *folder.rglob("*.safetensors")]):
        try:
            with open(path, "rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {(error.strerror or '').lower()}") from None
    return found
