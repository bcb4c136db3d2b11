"""Where randomness comes from: seeds as a function of words, and batches as a function of their number."""

import hashlib

import torch


def seed_of(seed, *words):
    """A seed of its own for every use: the same words give the same draws, different words unrelated ones."""
    digest = hashlib.sha256("/".join(map(str, (seed, *words))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1  # torch takes seeds below 2^63


class Batches:
    """Which examples form batch number 0, 1, 2, ...: nothing but (seed, number) decides, so a resumed run needs no position.

    The batches cut a stream of whole permutations, one per epoch: every example comes once an epoch, every batch has the same
    size (so shapes never change), and a batch may reach over an epoch's end. A data set smaller than a batch is the batch.
    """

    def __init__(self, count, batch_size, seed):
        self.count, self.size, self.seed = count, min(batch_size, count), seed
        self._orders = {}

    def indices(self, number):
        """The examples of one batch."""
        epoch, first = divmod(number * self.size, self.count)
        chosen = self._order(epoch)[first : first + self.size]
        missing = self.size - len(chosen)
        return torch.cat([chosen, self._order(epoch + 1)[:missing]]) if missing else chosen

    def _order(self, epoch):
        if epoch not in self._orders:
            generator = torch.Generator().manual_seed(seed_of(self.seed, "order", epoch))
            self._orders = {old: order for old, order in self._orders.items() if old == epoch - 1}
            self._orders[epoch] = torch.randperm(self.count, generator=generator)
        return self._orders[epoch]
