"""NIR graphs of a deployment: primitives that any reader runs, and the integers as metadata."""
