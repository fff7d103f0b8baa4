"""Tests of the benchmarks: that they run and keep sound books. Nothing here is timed."""
