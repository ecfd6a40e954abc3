"""Engines that run an integer network."""
