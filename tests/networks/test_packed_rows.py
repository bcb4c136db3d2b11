"""Rows of several texts: what a network gives of each, and the gradients, as if each were alone."""

import pytest
import torch

from practice_torch.experiments.alignment.offline import AlignmentRecipe
from practice_torch.experiments.alignment.policy import policy_network

LENGTHS = ((5, 3, 4), (7, 1, 2))  # of the texts in each row; the second row has two tokens of padding
FORMS = {"gpt2": dict(biases="all"), "llama": dict(key_value_heads=2, rotary_base=40.0, query_key_value_biases=True)}


@pytest.fixture(params=FORMS)
def network(request):
    torch.manual_seed(0)
    recipe = AlignmentRecipe(context=12, width=16, layers=2, heads=4, form=request.param, **FORMS[request.param])
    made = policy_network(recipe, 11)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.double()


def test_each_text_is_as_if_it_were_alone(network):
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(11, (2, 12), generator=generator)
    segments = torch.stack([torch.tensor([k for k, n in enumerate((*row, 12 - sum(row))) for _ in range(n)]) for row in LENGTHS])
    upstream = torch.randn(2, 12, 16, generator=generator, dtype=torch.float64) * (segments < 3)[..., None]
    found = network.hidden(tokens, segments)
    gradients = torch.autograd.grad(found, tuple(network.parameters()), upstream, allow_unused=True)
    total = torch.zeros(())
    for row, lengths in enumerate(LENGTHS):
        end = 0
        for length in lengths:
            begin, end = end, end + length
            alone = network.hidden(tokens[row, None, begin:end])[0]
            torch.testing.assert_close(found[row, begin:end], alone, rtol=1e-12, atol=1e-12)
            total = total + (alone * upstream[row, begin:end]).sum()
    wanted = torch.autograd.grad(total, tuple(network.parameters()), allow_unused=True)
    for got, one in zip(gradients, wanted, strict=True):
        assert (got is None) == (one is None)
        if got is not None:
            torch.testing.assert_close(got, one, rtol=1e-10, atol=1e-11)


def test_a_number_may_occur_again(network):
    tokens, segments = torch.arange(12)[None] % 11, torch.tensor([[0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]])
    torch.testing.assert_close(network.hidden(tokens, segments)[0, 6:], network.hidden(tokens[:, 6:])[0])
