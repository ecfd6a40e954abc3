"""Comparing answers: engine against engine, float against integer."""
