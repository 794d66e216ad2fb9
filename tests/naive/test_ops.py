"""Claimed by a colleague at 14:09: kernels against definitions."""
