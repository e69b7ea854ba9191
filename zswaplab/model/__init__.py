"""What the kernel does, in plain Python: the standard library and nothing else."""
