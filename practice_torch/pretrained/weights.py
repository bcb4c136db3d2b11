"""Folders of weights as Hugging Face's libraries write them: safetensors, in one file or in shards with an index.

    model.safetensors                                       every tensor by its name
    model-00001-of-00002.safetensors, ...                   or some of them in each file, and
    model.safetensors.index.json                            {"metadata": {...}, "weight_map": {name: file}}

diffusers calls them diffusion_pytorch_model instead of model. Nothing is downloaded, and pickles (pytorch_model.bin) are refused.
"""

import contextlib
import json
import os
from pathlib import Path

import safetensors
import safetensors.torch

from practice_torch.data.errors import DataError

STEMS = ("model", "diffusion_pytorch_model")  # of transformers, of diffusers
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
SHARD_BYTES = 5 * 10**9  # of a shard, as transformers had it for years
POINTER = b"version https://git-lfs"  # what a clone holds in place of a large file that was not fetched


def read_weights(folder, *, stems=STEMS):
    """{name: tensor} of a folder, each in the precision of its file.

    The tensors are views of the files in memory, read as they are used: a file of 7 GB costs no more than what is looked at.
    stems: what the files may be called; model.safetensors is the stem "model". Where there are a whole file and an index, the
    file is read, as by transformers.
    Raises DataError for no weights, pickles, an index that is wrong, and files that are missing, damaged, or hold other names.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            f"{folder} is no folder; name one with {stems[0]}.safetensors, which you must have: nothing is downloaded"
        )
    for stem in stems:
        if (file := folder / f"{stem}.safetensors").exists():
            return _tensors(file)
        if (index := folder / f"{stem}.safetensors.index.json").exists():
            return _sharded(index)
    raise DataError(_without_weights(folder, stems))


def write_weights(folder, tensors, *, stem=STEMS[0], shard_bytes=SHARD_BYTES):
    """Write {name: tensor} into a folder, which is made: one file, or shards of at most shard_bytes each and their index.

    Equal tensors give equal bytes. Each file is written aside and renamed, the index last. A tensor that is larger than a shard
    gets one of its own. Returns the paths of the files.
    Raises DataError if the folder has weights already, or cannot be written.
    """
    folder = Path(folder)
    if there := next(
        (path for pattern in (f"{stem}*.safetensors", f"{stem}*.index.json") for path in folder.glob(pattern)), None
    ):
        raise DataError(f"{folder} has weights already ({there.name}); name another folder, or remove them")
    shards = _shards(tensors, shard_bytes)
    names = [f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)]
    names = names if len(shards) > 1 else [f"{stem}.safetensors"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, shard in zip(names, shards, strict=True):
            content = {name: _apart(tensors[name]) for name in shard}
            _write(folder / file, lambda aside, content=content: _save(content, aside))
        if len(shards) > 1:
            size = sum(map(_bytes, tensors.values()))
            placed = {name: file for file, shard in zip(names, shards, strict=True) for name in shard}
            index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(placed.items()))}
            names.append(f"{stem}.safetensors.index.json")
            _write(folder / names[-1], lambda aside: aside.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8"))
    except (OSError, safetensors.SafetensorError) as error:
        raise DataError(f"{folder} cannot be written ({error}); name a folder with enough room") from None
    return [folder / name for name in names]


def read_json_object(path):
    """The JSON object of a file, strictly: no key twice, no NaN. DataError otherwise."""
    try:
        content = json.loads(Path(path).read_bytes(), parse_constant=_refuse_constant, object_pairs_hook=_once)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({(error.strerror or '').lower()}); a model's folder needs it") from None
    except (ValueError, RecursionError) as error:  # also of bytes that are no UTF-8
        raise DataError(f"{path} is no JSON ({str(error)[:120]}); fetch it again") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}; it must be a JSON object: fetch it again")
    return content


def _once(pairs):
    found = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"it has the key {key!r:.60} twice")
        found[key] = value
    return found


def _refuse_constant(name):
    raise ValueError(f"it has {name}, which is no number of JSON")


# ---------------------------------------------------------------------------------------------------- reading


def _sharded(index):
    placed = read_json_object(index).get("weight_map")
    if not isinstance(placed, dict) or not placed or not all(isinstance(file, str) for file in placed.values()):
        raise DataError(f"{index} has no weight_map of names to files; fetch it again")
    listed = {}
    for name, file in placed.items():
        listed.setdefault(file, set()).add(name)
    for file in listed:
        # a link to another place is fine, and usual where files are shared: only the name must stay inside
        if not file.endswith(".safetensors") or Path(file).name != file or "\\" in file:
            raise DataError(f"{index} names the shard {file!r:.80}; it must be a .safetensors file of the folder itself")
        if not (index.parent / file).exists():
            raise DataError(f"{index} names the shard {file}, which is not there: fetch all {len(listed)} shards")
    tensors = {}
    for file, names in sorted(listed.items()):
        found = _tensors(index.parent / file)
        if missing := sorted(names - found.keys()):
            raise DataError(f"{index} places {missing[0]} in {file}, which does not have it: index and shards differ")
        if surplus := sorted(found.keys() - names):
            wrong = f"in {placed[surplus[0]]}" if surplus[0] in placed else "nowhere"
            raise DataError(f"{index.parent / file} has {surplus[0]}, which {index.name} places {wrong}: index and shards differ")
        tensors |= found
    return tensors


def _tensors(file):
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in sorted(opened.keys())}
    except (OSError, safetensors.SafetensorError, RuntimeError, ValueError) as error:  # torch's errors are of a mapped file
        raise DataError(f"{file} cannot be read as safetensors ({_fault(file, error)}); fetch it again") from None


def _fault(file, error):
    with contextlib.suppress(OSError), open(file, "rb") as stream:
        begin = stream.read(len(POINTER))
        if begin == POINTER:
            return "it is a pointer of Git LFS, not the file itself: git lfs pull"
        if begin.startswith((b"PK\x03\x04", b"\x80")) and begin[8:9] != b"{":
            return "it is a pickle under another name"
    return " ".join(str(error).split())[:120]


def _without_weights(folder, stems):
    wanted = " or ".join(f"{stem}.safetensors" for stem in stems)
    if pickles := sorted(path.name for path in folder.iterdir() if path.suffix in PICKLED):
        mend = "where you trust it, from_pretrained(FOLDER).save_pretrained(NEW) of its library writes safetensors"
        return f"{folder} has only {pickles[0]}, a pickle, which could run any code when read; {mend}"
    return f"{folder} has no weights; it must have {wanted}, or shards with their index: nothing is downloaded"


# ---------------------------------------------------------------------------------------------------- writing


def _shards(tensors, limit):
    """Names in their order, cut where the next tensor would be too much."""
    shards, used = [[]], 0
    for name, tensor in tensors.items():
        size = _bytes(tensor)
        if shards[-1] and used + size > limit:
            shards.append([])
            used = 0
        shards[-1].append(name)
        used += size
    return shards


def _bytes(tensor):
    return tensor.numel() * tensor.element_size()


def _apart(tensor):
    """On the CPU, contiguous and in its own memory: safetensors refuses tensors that share theirs."""
    whole = tensor.untyped_storage().nbytes() == _bytes(tensor)
    tensor = tensor.detach().cpu().contiguous()
    return tensor if whole else tensor.clone()


def _save(tensors, path):
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})  # without it transformers refuses a file


def _write(path, write):
    aside = path.with_name(f".{path.name}.writing")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
