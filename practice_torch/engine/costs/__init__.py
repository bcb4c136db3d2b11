"""The cost of training: parameters, operations, memory, threads, throughput, and the environment of a run."""
