"""What training takes: parameters, operations, memory, threads, throughput, and the environment of a run."""
