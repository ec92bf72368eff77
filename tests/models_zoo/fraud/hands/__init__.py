"""A bank whose payments are made by hand: what anybody would expect of a model, on payments no generator made.

Each scenario gives the scores of its payments in order. `python -m tests.models_zoo.fraud.hands [FOLDER]` prints them.
"""
