"""The Frechet distance of Inception's features, as published: images a second, over those of the compiled network alone.

50,000 random images of 3 x 32 x 32, bytes in host memory, through experiments/judging/published_metrics.measure with a network of
random weights: copying, resizing to 299 x 299, features in float32 without TF32, sums in float64, and features that are kept. The
distance itself, of two such statistics, is timed next to it. The bare side is the compiled network on a batch that is on the
device. Utilization counts the network's convolutions and products, over a rate of bfloat16: of float32 a small part of it.
"""

import time

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.comparison import keep, said
from practice_torch.engine.distributed.evaluation_shares import ALONE
from practice_torch.evaluation.frechet_distance import frechet_distance
from practice_torch.experiments.judging import published_metrics
from practice_torch.experiments.judging.image_sets import ImageSet
from practice_torch.networks.inception import Inception, resize_as_tensorflow

GOAL = 0.5  # of the compiled network's rate
COUNT, SIDE, REPEATS = 50_000, 32, 20


class Toy(nn.Module):
    """Means of channels, in place of Inception."""

    width, resize = 3, None

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, images):
        return self.fc(images.float().mean((2, 3)))

    def logits(self, features):
        return features


def operations(make):
    """Of one image."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        make()(torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8))
    return counter.get_total_flops()


@torch.inference_mode()
def rate_alone(card, network, size):
    """Images a second of the compiled network."""
    run, pixels = card.compiled(network), torch.zeros(size, 3, SIDE, SIDE, dtype=torch.uint8, device=card.device)
    return size / card.seconds(lambda: run(pixels), repeats=1 if card.toy else REPEATS)


def measure(card):
    """Returns the exit code."""
    began, count = time.perf_counter(), 40 if card.toy else COUNT
    made = Toy if card.toy else lambda: Inception(resize=resize_as_tensorflow)
    torch.manual_seed(0)
    network, size = made().to(card.device).eval(), 20 if card.toy else published_metrics.BATCH["cuda"]
    alone = rate_alone(card, network, size)
    pixels = torch.randint(256, (count, 3, SIDE, SIDE), dtype=torch.uint8)
    images = ImageSet("random images", count, (SIDE, SIDE), lambda first, last: pixels[first:last], str)
    seconds, found = [], []
    for _ in range(2):  # the first compiles
        start = time.perf_counter()
        found.append(published_metrics.measure(images, network, ALONE, print))
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    distance = frechet_distance(*found[0][1:3], *found[1][1:3]).item()
    of_distance, rate = time.perf_counter() - start, count / seconds[1]
    keep(
        card,
        "inception",
        f"features and statistics of {count:,} images, {SIDE} x {SIDE}, by Inception with random weights",
        began,
        images_per_second=rate,
        network_alone=alone,
        share=rate / alone,
        goals={"share": GOAL},
        seconds={"compiling": seconds[0], "compiled": seconds[1], "distance": of_distance},
        frechet_distance_of_equal_sets=distance,
        utilization=card.utilization(operations(made) * rate, 1),
    )
    share = f"{rate / alone:.0%} of the network alone, goal {GOAL:.0%} {said(rate >= GOAL * alone)}"
    print(f"inception: {rate:,.0f} images/s, {share}; the distance of the statistics takes {of_distance:.1f} s")
    return int(not card.toy and rate < GOAL * alone)
