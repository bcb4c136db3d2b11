"""An affine map that is fast for a single row, as in token-by-token generation."""

import contextlib

import torch
from torch import nn

FEW = 4  # rows; eight are as fast in one product of matrices
BLOCK = 64  # outputs


def product_dtype(weight):
    """The type in which products with this floating-point tensor are taken: autocast's inside of it, else its own."""
    device = weight.device.type
    known = torch.amp.is_autocast_available(device)  # meta tensors have none
    return torch.get_autocast_dtype(device) if known and torch.is_autocast_enabled(device) else weight.dtype


def in_own_precision(device):
    """Inside, products on this kind of device are taken in the type of their factors, also within autocast."""
    known = torch.amp.is_autocast_available(device)  # meta tensors have none
    return torch.autocast(device, enabled=False) if known else contextlib.nullcontext()


class Linear(nn.Linear):
    """nn.Linear; one to four rows on a CPU are a batch of products with 64 rows of the weight each.

    MKL reads a matrix of float32 at 20 GB/s in such a batch, but at 8 GB/s in a product with one row (one core of an AMD EPYC
    that sums an array at 24 GB/s; measured with matrices of 384 x 384 to 1536 x 384).
    """

    def forward(self, x):
        """[..., in] -> [..., out]."""
        rows = x.shape[:-1].numel()
        if rows > FEW or rows == 0 or self.out_features % BLOCK or x.device.type != "cpu":
            return super().forward(x)
        blocks = self.weight.unflatten(0, (-1, BLOCK))
        columns = x.reshape(rows, self.in_features).T.expand(len(blocks), -1, -1)
        y = torch.bmm(blocks, columns).flatten(0, 1).T.reshape(*x.shape[:-1], self.out_features)
        return y if self.bias is None else y + self.bias
