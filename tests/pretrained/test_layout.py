"""Layouts: every kind of row there and back, and what does not fit refused with its name and both shapes."""

import pytest
import torch

from practice_torch.data.errors import DataError
from practice_torch.pretrained.layout import Joined, Layout, Padded, Reshaped, Row, Tie, Transposed, to_ours, to_theirs

LAYOUT = Layout(
    rows=(
        Row("table", "trunk.embed", Padded(3)),
        Row("matrix", "trunk.conv1d", Transposed()),
        Row("heads", ("trunk.q", "trunk.k", "trunk.v"), Joined((4, 2, 2))),
        Row("columns", ("trunk.left", "trunk.right"), Joined((1, 3), axis=1)),
        Row("pixel", "trunk.pixel", Reshaped((2, 5, 1, 1))),
        Row("norm", "trunk.norm"),
    ),
    ties=(Tie("head", of="trunk.embed"),),
    absent={"trunk.bias": (6,)},
    ignorable=frozenset({"trunk.mask"}),
    base="trunk.",
)
SHAPES = {"table": (4, 2), "matrix": (6, 2), "heads": (8, 3), "columns": (2, 4), "pixel": (2, 5), "norm": (3,)}


def given():
    generator = torch.Generator().manual_seed(0)
    shapes = {"embed": (3, 2), "conv1d": (2, 6), "q": (4, 3), "k": (2, 3), "v": (2, 3), "left": (2, 1), "right": (2, 3)}
    shapes |= {"pixel": (2, 5, 1, 1), "norm": (3,)}
    drawn = {f"trunk.{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return drawn | {"trunk.bias": torch.zeros(6)}


def refused(tensors, *words):
    with pytest.raises(DataError) as error:
        to_ours(LAYOUT, tensors, SHAPES)
    message = str(error.value)
    assert "\n" not in message and all(word in message for word in words), message


def test_every_kind_of_row_goes_there_and_back():
    tensors = given()
    ours = to_ours(LAYOUT, tensors, SHAPES)
    assert {name: tuple(tensor.shape) for name, tensor in ours.items()} == SHAPES
    assert torch.equal(ours["table"][:3], tensors["trunk.embed"]) and ours["table"][3].tolist() == [0, 0]
    assert torch.equal(ours["matrix"], tensors["trunk.conv1d"].T)
    assert torch.equal(ours["heads"][4:6], tensors["trunk.k"]) and torch.equal(ours["columns"][:, 1:], tensors["trunk.right"])
    back = to_theirs(LAYOUT, ours)
    assert back.keys() == tensors.keys() and all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_a_tie_may_be_there_twice_or_once_and_masks_are_ignored():
    tensors, wanted = given(), to_ours(LAYOUT, given(), SHAPES)
    table, mask = tensors["trunk.embed"], {"trunk.mask": torch.ones(1, 2, dtype=torch.bool)}
    both = tensors | {"head": table.clone()} | mask
    alone = {name: tensor for name, tensor in both.items() if name != "trunk.embed"}
    trunk = {name.removeprefix("trunk."): tensor for name, tensor in (tensors | mask).items()}
    for form in (both, alone, trunk, trunk | {"head": table}):
        found = to_ours(LAYOUT, form, SHAPES)
        assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_the_precision_of_the_file_is_kept(dtype):
    halves = {name: tensor.to(dtype) for name, tensor in given().items()}
    assert {tensor.dtype for tensor in to_ours(LAYOUT, halves, SHAPES).values()} == {dtype}


def test_what_does_not_fit_is_refused():
    plain = given()
    damaged = plain["trunk.q"].clone()
    damaged[0, :2] = torch.tensor([torch.nan, torch.inf])
    without = {name: tensor for name, tensor in plain.items() if name != "trunk.k"}
    refused(without, "lack trunk.k", "of another model")
    refused({name: plain[name] for name in ("trunk.q", "trunk.k")}, "lack trunk.bias, and 7 others")
    refused(plain | {"trunk.more": torch.ones(2, 3)}, "have trunk.more [2, 3]", "no place")
    refused(plain | {"trunk.norm": torch.ones(4)}, "trunk.norm has shape [4]", "wants [3]")
    refused(plain | {"trunk.conv1d": torch.ones(6, 2)}, "trunk.conv1d has shape [6, 2]", "wants [2, 6]")
    refused(plain | {"trunk.embed": torch.ones(4, 2)}, "trunk.embed has shape [4, 2]", "wants [3, 2]")
    refused(plain | {"trunk.q": torch.ones(2, 3)}, "trunk.q has shape [2, 3]", "wants [4, 3]")
    refused(plain | {"head": plain["trunk.embed"] + 1}, "head [3, 2] and trunk.embed [3, 2] differ", "tie_word_embeddings")
    refused(plain | {"head": torch.ones(9, 2)}, "head [9, 2] and trunk.embed [3, 2] differ")
    refused(plain | {"trunk.bias": torch.ones(6)}, "trunk.bias is not zero")
    refused(plain | {"trunk.q": damaged}, "trunk.q has 2 of 12 numbers that are not finite")
    refused(plain | {"trunk.q": torch.ones(4, 3, dtype=torch.int8)}, "trunk.q has numbers of type int8", "quantized")
    refused(plain | {"trunk.q": torch.ones(4, 3, dtype=torch.float8_e4m3fn)}, "type float8_e4m3fn")


def test_weights_without_a_place_are_not_written():
    ours = to_ours(LAYOUT, given(), SHAPES)
    with pytest.raises(DataError, match=r"extra \[2\] has no place in the published layout"):
        to_theirs(LAYOUT, ours | {"extra": torch.ones(2)})
    with pytest.raises(DataError, match="the weights lack norm"):
        to_theirs(LAYOUT, {name: tensor for name, tensor in ours.items() if name != "norm"})
