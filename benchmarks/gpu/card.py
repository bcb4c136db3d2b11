"""The machine itself: how fast it multiplies and copies, and what a call takes of its memory."""

import gc
import time

import torch
import torch._dynamo.config
import torch._inductor.config

from practice_torch.engine.costs.throughput import peak_of


class Card:
    """A GPU; for toys, which only show that everything runs, the CPU where there is none: its compiler only traces."""

    def __init__(self, toy):
        # what cannot be compiled or captured as asked is an error, not a side that quietly runs another way
        torch._dynamo.config.fail_on_recompile_limit_hit = True
        torch._inductor.config.triton.cudagraph_or_error = True
        self.toy, self.on_gpu, self.rows = toy, torch.cuda.is_available(), []
        self.device = torch.device("cuda" if self.on_gpu else "cpu")
        self.name = torch.cuda.get_device_name() if self.on_gpu else "CPU"
        self.sheet = peak_of(self.name, "bfloat16")
        size = 256 if toy else 8192
        a = torch.randn(size, size, device=self.device, dtype=torch.bfloat16)
        on_host = torch.randn(size, size).pin_memory() if self.on_gpu else torch.randn(size, size)
        self.rate = 2 * size**3 / self.seconds(lambda: a @ a)
        self.copy = 2 * a.nbytes / self.seconds(lambda: a.clone())  # read and written
        self.from_host = on_host.nbytes / self.seconds(lambda: on_host.to(self.device, non_blocking=True, copy=True))

    def words(self):
        """What was measured of it, in a line."""
        rate, copy, from_host = f"{self.rate / 1e12:.3g}", f"{self.copy / 1e9:.4g}", f"{self.from_host / 1e9:.3g}"
        sheet = f" (data sheet: {self.sheet / 1e12:.3g})" if self.sheet else ""
        return f"{self.name}: {rate} TFLOP/s in bfloat16 products{sheet}, {copy} GB/s copied, {from_host} GB/s from the host"

    def file(self, subject):
        """The name of the results of a subject: another device has another file."""
        return "_".join(["gpu", *self.name.lower().replace("-", " ").split(), subject])

    def facts(self):
        return {
            "product_operations_per_second": self.rate,
            "copy_bytes_per_second": self.copy,
            "copy_from_host_bytes_per_second": self.from_host,
            "data_sheet": self.sheet,
        }

    def utilization(self, operations, seconds):
        """Of what the card can do at most, by its own product of large matrices and by its data sheet."""
        rate = operations / seconds
        return {"of_measured_product": rate / self.rate, "of_data_sheet": self.sheet and rate / self.sheet}

    def compiled(self, network, *, graphs=False):
        """Compiled for one shape and in one piece; with graphs: its kernels recorded once and replayed as one (CUDA graphs)."""
        if not self.on_gpu:
            return torch.compile(network, backend="eager", fullgraph=True, dynamic=False)
        return torch.compile(network, fullgraph=True, dynamic=False, mode="reduce-overhead" if graphs else "default")

    def wait(self):
        if self.on_gpu:
            torch.cuda.synchronize()

    def peak(self, work):
        """Bytes of the device beyond those held before, at the peak of work(start), counted from when it calls start().

        allocated: in tensors. reserved: what the allocator has taken to serve them, from the very beginning, which also has the
        memory that CUDA graphs keep for themselves.
        """
        gc.collect()
        if not self.on_gpu:
            work(lambda: None)
            return None
        torch.cuda.empty_cache()
        allocated, reserved = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
        work(torch.cuda.reset_peak_memory_stats)
        self.wait()
        return {
            "allocated": torch.cuda.max_memory_allocated() - allocated,
            "reserved": torch.cuda.max_memory_reserved() - reserved,
        }

    def seconds(self, call, repeats=20):
        """Of a call, in the mean."""
        for _ in range(3):
            call()
        self.wait()
        began = time.perf_counter()
        for _ in range(repeats):
            call()
        self.wait()
        return (time.perf_counter() - began) / repeats
