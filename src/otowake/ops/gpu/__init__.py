"""Kernels for tensors on an accelerator: Triton, or plain torch without complex types."""
