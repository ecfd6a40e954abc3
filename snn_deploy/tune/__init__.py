"""Choosing number formats for a purpose."""
