"""Payment fraud: causal account histories, features, a temporal graph network, and the weights that ship.

Importing the package costs numpy at most: torch is imported by `nets`, `scorer` and `training` alone.
"""
