"""Training of a restricted Boltzmann machine to a given likelihood: ours and scikit-learn's BernoulliRBM.

    python -m benchmarks.density.boltzmann [--repeats 11] [--search]

64 hidden units on 1438 of the embedded digits, binarized, in float32, one thread. Both sides do the same: persistent contrastive
divergence with one Gibbs step, plain gradient steps at a rate that falls to zero, as many particles as there are images in a
batch. Ours is the functions of energy/contrastive_divergence; scikit-learn's is its `partial_fit`. Each has the settings, of
those that `--search` tries for both, with which it reaches LIMIT nats per held-out image in the least CPU time, on average over
SEEDS. Before anything is timed, both must reach it, by the same annealed importance sampling of 2000 temperatures and 200 walks.

scikit-learn's own `fit` has a constant rate, with which the likelihood goes up and down by nats from one epoch to the next; what
three seeds reach in that way is in the result, and so is the machine's load: benchmarks/results/boltzmann.json.
"""

import argparse
import itertools
import os
import sys
import time
from functools import partial
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch
from sklearn.neural_network import BernoulliRBM

from benchmarks.measuring.turns import conclude, in_turns
from practice_torch.data.images import load
from practice_torch.energy.annealed_importance_sampling import log_partition_estimate, log_weights
from practice_torch.energy.contrastive_divergence import chain, gradient
from practice_torch.energy.restricted_boltzmann_machine import free_energy

HIDDEN, LIMIT, SEEDS = 64, 18.0, (0, 1, 2)
SETTINGS = {"ours": {"epochs": 25, "rate": 0.8, "batch": 50}, "scikit-learn": {"epochs": 20, "rate": 0.4, "batch": 25}}
CONSTANT = {"n_iter": 260, "learning_rate": 0.01, "batch_size": 10}  # of fit: the best of twelve settings, up to 400 epochs


def digits():
    """(train, held-out) bits, [N, 64]."""
    return tuple((part.batch()["image"].flatten(1) > 7 / 16).float() for part in load("digits", held_out=0.2, seed=0))


def steps(count, *, epochs, rate, batch, seed):
    """(rate, indices of a batch) of every update; batches are of one size, since sums over them are compared with particles."""
    order, batches = np.random.RandomState(seed), count // batch
    for epoch in range(epochs):
        for k, chosen in enumerate(order.permutation(count)[: batches * batch].reshape(batches, batch)):
            yield rate * (1 - (epoch + k / batches) / epochs), chosen


def ours(x, seed, **settings):
    """Weights and biases."""
    drawn = torch.Generator().manual_seed(seed)
    units, batch = x.shape[1], settings["batch"]
    machine = [0.01 * torch.randn(units, HIDDEN, generator=drawn), torch.zeros(units), torch.zeros(HIDDEN)]
    particles = torch.rand(batch, units, generator=drawn).round()
    for rate, chosen in steps(len(x), seed=seed, **settings):
        uniforms = (torch.rand(1, batch, size, generator=drawn) for size in (HIDDEN, units))
        particles = chain(particles, *uniforms, *machine)
        for parameter, slope in zip(machine, gradient(x[chosen], particles, machine[0], machine[2]), strict=True):
            parameter.add_(slope, alpha=rate)
    return machine


def theirs(x, seed, **settings):
    """Those of scikit-learn."""
    model, rows = BernoulliRBM(HIDDEN, batch_size=settings["batch"], random_state=seed), x.numpy()
    for model.learning_rate, chosen in steps(len(x), seed=seed, **settings):
        model.partial_fit(rows[chosen])
    return _machine_of(model)


TRAINED_BY = {"ours": ours, "scikit-learn": theirs}


def _machine_of(model):
    return [torch.tensor(part) for part in (model.components_.T.copy(), model.intercept_visible_, model.intercept_hidden_)]


def nats(machine, x, temperatures=2000, walks=200):
    """-log p of the images, on average, by annealed importance sampling from their frequencies; and the spread of log w."""
    machine, drawn = [part.double() for part in machine], torch.Generator().manual_seed(0)
    base = torch.logit((x.double().sum(0) + 0.5) / (len(x) + 1))
    shapes = (walks, x.shape[1]), (temperatures - 2, walks, HIDDEN), (temperatures - 2, walks, x.shape[1])
    uniforms = (torch.rand(shape, generator=drawn, dtype=torch.float64) for shape in shapes)
    log_w = log_weights(*uniforms, torch.linspace(0, 1, temperatures, dtype=torch.float64), *machine, base)
    log_z = log_partition_estimate(log_w, machine[0], base)
    return float(free_energy(x.double(), *machine).mean() + log_z), float(log_w.std())


def search(x, held_out):
    """The number of epochs in which each setting reaches LIMIT on average over the seeds, and its CPU seconds."""
    for train, rate, batch in itertools.product((ours, theirs), (0.2, 0.4, 0.8), (25, 50, 100)):
        for epochs in (20, 25, 30, 35, 40, 50, 60):
            began = time.process_time()
            machines = [train(x, seed, epochs=epochs, rate=rate, batch=batch) for seed in SEEDS]
            taken = (time.process_time() - began) / len(SEEDS)
            found = sum(nats(machine, held_out, temperatures=300, walks=100)[0] for machine in machines) / len(SEEDS)
            if found <= LIMIT:
                break
        said = f"{epochs} epochs: {found:.2f} nats, {taken:.2f} CPU s"
        print(f"{train.__name__:7s} rate {rate} batch {batch:3d} {said}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--search", action="store_true", help="look for both sides' best settings, and stop")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    began, load_before = time.perf_counter(), os.getloadavg()
    x, held_out = digits()
    if arguments.search:
        return search(x, held_out)
    sides = {name: partial(train, x, 0, **SETTINGS[name]) for name, train in TRAINED_BY.items()}
    reached = {name: [nats(train(x, seed, **SETTINGS[name]), held_out) for seed in SEEDS] for name, train in TRAINED_BY.items()}
    for name, found in reached.items():
        if sum(value for value, _ in found) > LIMIT * len(SEEDS):
            raise SystemExit(f"{name} reaches {found} (nats, deviation of log w); on average it must reach {LIMIT} nats")
    fits = [BernoulliRBM(HIDDEN, random_state=seed, **CONSTANT).fit(x.numpy()) for seed in SEEDS]
    constant = [nats(_machine_of(model), held_out) for model in fits]
    seconds = in_turns(sides, repeats=arguments.repeats)
    return conclude(
        "boltzmann",
        f"training of a restricted Boltzmann machine to {LIMIT:g} nats per held-out image",
        seconds,
        ours="ours",
        began=began,
        shape={"images": len(x), "visible": x.shape[1], "hidden": HIDDEN},
        scikit_learn=version("scikit-learn"),
        settings=SETTINGS,
        load_averages=[load_before, os.getloadavg()],
        nats_and_deviation_of_log_weights=reached,
        constant_rate={"settings": CONSTANT, "nats_and_deviation": constant},
    )


if __name__ == "__main__":
    sys.exit(main())
