"""Kernels for tensors on an accelerator, in plain torch."""
