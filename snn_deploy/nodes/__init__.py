"""The kinds of node, one file a kind: class and equation, rules, worst case, cost, integer form.

A consumer (an engine, the placer, a report) asks a node for its traits and facts, never for its
class. ``registry.py`` names the kinds of each stage.
"""
