"""Benchmarks: ratios against the fastest hand-written alternative, measured in one run."""
