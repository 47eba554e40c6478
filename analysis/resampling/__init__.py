"""Inference from the allocation itself."""
