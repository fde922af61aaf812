"""Benchmarks: figures as ratios against a reference measured in the same run, where there is one."""
