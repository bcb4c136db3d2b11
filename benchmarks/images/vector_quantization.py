"""A vector quantizer in training, codes as moving averages: ours against the form of pythae.

    python -m benchmarks.images.vector_quantization [--repeats 15]

4096 vectors of 64 numbers and 512 codes, float32, one thread: codes, straight-through gradient, commitment, and the update of the
moving averages. pythae's side is written as its `QuantizerEMA` is: all distances, one-hot vectors, and products with them. It
shares no code with ours. Both must give the same codes, gradients and averages before anything is timed. Result:
benchmarks/results/vector_quantization.json.
"""

import argparse
import sys
import time

import torch
from torch.nn import functional

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.latent.vector_quantization import (
    ema_codebook_update,
    nearest_code,
    straight_through,
    vector_quantization_loss,
)

VECTORS, SIZE, CODES, CALLS = 4096, 64, 512, 5
COMMITMENT, DECAY, EPSILON = 0.25, 0.99, 1e-5


def ours(z, codebook, counts, sums):
    """What is handed to the decoder, the loss, and the new averages and codes."""
    index = nearest_code(z, codebook)
    quantized = codebook[index]
    loss = vector_quantization_loss(z, quantized, commitment=COMMITMENT).mean() / SIZE
    averages = ema_codebook_update(z.detach(), index, counts, sums, decay=DECAY, epsilon=EPSILON)
    return straight_through(z, quantized), loss, *averages


def pythae(z, codebook, counts, sums):
    distances = (z**2).sum(-1, keepdim=True) + (codebook**2).sum(-1) - 2 * z @ codebook.T
    chosen = functional.one_hot(distances.argmin(-1), num_classes=CODES).type_as(z)
    quantized = chosen @ codebook
    loss = COMMITMENT * functional.mse_loss(quantized.detach(), z) + functional.mse_loss(quantized, z.detach())
    new_counts = counts * DECAY + (1 - DECAY) * chosen.sum(0)
    new_sums = sums * DECAY + (1 - DECAY) * (chosen.T @ z.detach())
    total = new_counts.sum()
    smoothed = (new_counts + EPSILON) / (total + CODES * EPSILON) * total
    return z + (quantized - z).detach(), loss, new_counts, new_sums, new_sums / smoothed.unsqueeze(-1)


def trained(form, given):
    """One call: forward, backward to the encoder, and the update."""
    z, *rest = given

    def call():
        leaf = z.clone().requires_grad_()
        handed, loss, *averages = form(leaf, *rest)
        (handed.square().sum() + loss).backward()
        return leaf.grad, handed.detach(), *averages

    return call


def require_same(made):
    for wanted, got in zip(*(call() for call in made.values()), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def several(call):
    def calls():
        for _ in range(CALLS):
            call()

    return calls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    generator = torch.Generator().manual_seed(0)
    z, codebook = (torch.randn(rows, SIZE, generator=generator) for rows in (VECTORS, CODES))
    counts = 4 + torch.rand(CODES, generator=generator)
    given = z, codebook, counts, codebook * counts[:, None]
    made = {"ours": trained(ours, given), "pythae's form": trained(pythae, given)}
    require_same(made)
    return conclude(
        "vector_quantization",
        f"{CALLS} times a quantizer of {VECTORS} vectors with {CODES} codes, forward, backward and update",
        in_turns({name: several(call) for name, call in made.items()}, repeats=arguments.repeats),
        ours="ours",
        began=began,
        unit=(CALLS * VECTORS, "vectors"),
        shape={"vectors": VECTORS, "size": SIZE, "codes": CODES},
    )


if __name__ == "__main__":
    sys.exit(main())
