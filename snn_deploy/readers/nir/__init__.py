"""Graphs in the Neuromorphic Intermediate Representation: ``.nir`` files and live ``NIRGraph``s."""
