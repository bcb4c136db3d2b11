"""Folders of weights: what is written is read, whole or in shards, and what is damaged is refused in one line."""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from practice_torch.data.errors import DataError
from practice_torch.pretrained.weights import read_json_object, read_weights, write_weights

INDEX = "model.safetensors.index.json"
TENSORS = {
    "b.weight": torch.arange(12.0).view(3, 4),
    "a.weight": torch.arange(6, dtype=torch.bfloat16),
    "view": torch.arange(12.0).view(3, 4).T[:2],
    "half": torch.ones(2, dtype=torch.float16),
}


@pytest.fixture
def whole(tmp_path):
    write_weights(tmp_path / "whole", TENSORS)
    return tmp_path / "whole"


@pytest.fixture
def shards(tmp_path):
    write_weights(tmp_path / "shards", TENSORS, shard_bytes=37)
    return tmp_path / "shards"


def refused(folder, *words, read=read_weights):
    with pytest.raises(DataError) as error:
        read(folder)
    message = str(error.value)
    assert "\n" not in message and all(word in message for word in words), message


def equal(found):
    return found.keys() == TENSORS.keys() and all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in TENSORS.items()
    )


def test_what_is_written_is_read_in_its_precision(whole, shards):
    assert [path.name for path in whole.iterdir()] == ["model.safetensors"]
    names = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    assert sorted(path.name for path in shards.iterdir()) == [*names, INDEX]
    assert equal(read_weights(whole)) and equal(read_weights(shards))
    assert json.loads((shards / INDEX).read_text())["metadata"] == {"total_size": 48 + 12 + 24 + 4}
    with safetensors.safe_open(whole / "model.safetensors", framework="pt") as opened:
        assert opened.metadata() == {"format": "pt"}


def test_equal_tensors_give_equal_bytes(whole, tmp_path):
    for limit in (37, 10**9):
        folders = [tmp_path / f"{name}-{limit}" for name in ("first", "second")]
        for folder in folders:
            write_weights(folder, dict(TENSORS), shard_bytes=limit)
        for path in folders[0].iterdir():
            assert path.read_bytes() == (folders[1] / path.name).read_bytes()


def test_diffusers_name_is_read_and_asked_for(tmp_path):
    write_weights(tmp_path, TENSORS, stem="diffusion_pytorch_model")
    assert equal(read_weights(tmp_path)) and equal(read_weights(tmp_path, stems=("diffusion_pytorch_model",)))
    refused(tmp_path, "no weights", "model.safetensors", read=lambda folder: read_weights(folder, stems=("model",)))


def test_a_link_to_a_shared_file_is_read(whole, tmp_path):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "model.safetensors").symlink_to(whole / "model.safetensors")
    assert equal(read_weights(tmp_path / "linked"))


def test_folders_without_weights_are_refused(tmp_path):
    refused(tmp_path / "none", "none is no folder", "nothing is downloaded")
    refused(tmp_path, "has no weights", "model.safetensors or diffusion_pytorch_model.safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
    refused(tmp_path, "only pytorch_model.bin, a pickle", "run any code", "save_pretrained(NEW)")


@pytest.mark.parametrize("kept", [4, 200, -3])
def test_a_truncated_file_is_refused(whole, shards, kept):
    for file in (whole / "model.safetensors", shards / "model-00002-of-00003.safetensors"):
        file.write_bytes(file.read_bytes()[:kept])
        refused(file.parent, file.name, "cannot be read as safetensors", "fetch it again")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "pointer of Git LFS"),
        (b"PK\x03\x04" + bytes(40), "a pickle under another name"),
        (b"\x80\x02}q\x00." + bytes(40), "a pickle under another name"),
        (b"", "cannot be read"),
    ],
)
def test_what_is_no_safetensors_is_named(whole, content, said):
    (whole / "model.safetensors").write_bytes(content)
    refused(whole, said)


def test_an_index_that_differs_from_its_shards_is_refused(shards):
    plain = (shards / INDEX).read_text()
    first, second = "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors"
    changes = {
        "places more in": {"more": first},
        f"places b.weight in {second}, which does not have it": {"b.weight": second},
        "has a.weight, which model.safetensors.index.json places nowhere": {"a.weight": None},
        "names the shard gone.safetensors, which is not there": {"more": "gone.safetensors"},
        "'../model.safetensors'": {"more": "../model.safetensors"},
        "'/etc/model.safetensors'": {"more": "/etc/model.safetensors"},
        "'model.bin'": {"more": "model.bin"},
        "has no weight_map": {"more": 3},
    }
    for said, change in changes.items():
        content = json.loads(plain)
        placed = content["weight_map"] | change
        content["weight_map"] = {name: file for name, file in placed.items() if file is not None}
        (shards / INDEX).write_text(json.dumps(content))
        refused(shards, said)
    for content in ({}, {"weight_map": {}}, {"weight_map": [first]}):
        (shards / INDEX).write_text(json.dumps(content))
        refused(shards, "has no weight_map")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "holds a list"),
        ("{", "is no JSON"),
        ('{"a": NaN}', "it has NaN"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        pytest.param("[" * 100_000, "is no JSON", id="deep"),
        (None, "no such file"),
    ],
)
def test_json_is_read_strictly(tmp_path, content, said):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    refused(tmp_path / "config.json", "config.json", said, read=read_json_object)


def test_weights_are_not_written_over_others(whole, tmp_path):
    before = (whole / "model.safetensors").read_bytes()
    with pytest.raises(DataError, match="has weights already"):
        write_weights(whole, {"other": torch.ones(1)}, shard_bytes=1)
    assert (whole / "model.safetensors").read_bytes() == before and len(list(whole.iterdir())) == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_weights(tmp_path / "file" / "inside", TENSORS)


def _own_memory():
    """Bytes of this process that are no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="counts memory as Linux does")
def test_a_large_file_costs_no_memory(tmp_path):
    """Its pages are those of the file, which the system may drop."""
    write_weights(tmp_path, {"a": torch.ones(8_000_000)})
    before = _own_memory()
    tensor = read_weights(tmp_path)["a"]
    assert torch.aminmax(tensor) == (1, 1) and _own_memory() - before < 8e6
    before = _own_memory()
    copied = torch.ones(64_000_000)  # more than the allocator may have left from others
    assert _own_memory() - before > 0.5 * copied.nbytes  # the count counts
