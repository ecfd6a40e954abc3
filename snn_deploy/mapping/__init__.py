"""Placing a network on a hardware profile."""
