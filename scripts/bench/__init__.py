"""`make bench`, `make bench-growth`, `make bench-rest`: what this project costs, and what people would use instead.

Each measurement runs in a process of its own, so that its peak memory is its own; imports are not counted. Figures
belong to the machine they were taken on, ratios less so; docs/performance.md says what bounds them.
"""
