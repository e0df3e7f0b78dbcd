"""Benchmarks: ratios side by side in one run. Each has a make target; none runs in the suite."""
