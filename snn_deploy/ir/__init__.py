"""The network at its three stages (float, integer, lowered) and everything that holds for all."""
