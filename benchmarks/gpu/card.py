"""The machine itself: how fast it multiplies and copies, what a call takes of its memory; and the CPU in its place (--smoke)."""

import gc
import time

import torch
import torch._dynamo.config
import torch._inductor.config

from practice_torch.engine.throughput import peak_of


class Card:
    """A GPU, or with smoke the CPU: there, sizes are toys, compilers only trace, and nothing is said about memory."""

    def __init__(self, smoke):
        # what cannot be compiled or captured as asked is an error, not a side that quietly runs another way
        torch._dynamo.config.fail_on_recompile_limit_hit = True
        torch._inductor.config.triton.cudagraph_or_error = True
        self.smoke, self.device = smoke, torch.device("cpu" if smoke else "cuda")
        name = "" if smoke else torch.cuda.get_device_name()
        self.sheet = peak_of(name, "bfloat16")
        size = 256 if smoke else 8192
        a = torch.randn(size, size, device=self.device, dtype=torch.bfloat16)
        self.rate = 2 * size**3 / self._seconds(lambda: a @ a)
        self.copy = 2 * a.nbytes / self._seconds(lambda: a.clone())

    def facts(self):
        return {"product_operations_per_second": self.rate, "copy_bytes_per_second": self.copy, "data_sheet": self.sheet}

    def utilization(self, operations, seconds):
        """Of what the card can do at most, by its own product of large matrices and by its data sheet."""
        rate = operations / seconds
        return {"of_measured_product": rate / self.rate, "of_data_sheet": self.sheet and rate / self.sheet}

    def compiled(self, network, *, graphs=False):
        """Compiled for one shape and in one piece; with graphs: its kernels recorded once and replayed as one (CUDA graphs)."""
        if self.smoke:
            return torch.compile(network, backend="eager", fullgraph=True, dynamic=False)
        return torch.compile(network, fullgraph=True, dynamic=False, mode="reduce-overhead" if graphs else "default")

    def wait(self):
        if not self.smoke:
            torch.cuda.synchronize()

    def peak(self, work):
        """Bytes of the device beyond those held before, at the peak of work(start), counted from when it calls start().

        allocated: in tensors. reserved: what the allocator has taken to serve them, from the very beginning, which also has the
        memory that CUDA graphs keep for themselves.
        """
        gc.collect()
        if self.smoke:
            work(lambda: None)
            return None
        torch.cuda.empty_cache()
        allocated, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        work(torch.cuda.reset_peak_memory_stats)
        self.wait()
        return {
            "allocated": torch.cuda.max_memory_allocated() - allocated, "reserved": torch.cuda.max_memory_reserved() - reserved,
        }  # fmt: skip

    def _seconds(self, call, repeats=20):
        for _ in range(3):
            call()
        self.wait()
        began = time.perf_counter()
        for _ in range(repeats):
            call()
        self.wait()
        return (time.perf_counter() - began) / repeats
