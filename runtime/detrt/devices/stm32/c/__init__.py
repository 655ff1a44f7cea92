"""C code of a quantised network: emission, kernels, boards that are emulated, and running what was built."""
