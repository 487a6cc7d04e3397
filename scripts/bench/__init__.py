"""`make bench`, `bench-growth`, `bench-marts`, `bench-rest`: the costs of this project and of its alternatives.

Each measurement runs in a separate process, to measure its peak memory; imports are not counted. Figures depend on the
machine, ratios less so; docs/performance.md explains what bounds them.
"""
