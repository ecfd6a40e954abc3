"""Passes from network to network, one file each."""
