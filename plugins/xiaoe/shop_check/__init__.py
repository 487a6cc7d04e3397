"""The first look at a shop: what its API grants, how it behaves, and whether its rows fit the tables."""
