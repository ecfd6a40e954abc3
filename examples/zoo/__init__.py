"""A zoo of small trained networks: data from generators or packages, a family each, in minutes.

``python -m snn_deploy.examples.zoo`` trains, converts and measures what :mod:`entries` lists, into
``build/zoo``, and writes the cards and the table of ``docs/zoo``.
"""
