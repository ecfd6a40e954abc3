"""One file a node kind: its class, whose docstring is its equation, and what it computes."""
