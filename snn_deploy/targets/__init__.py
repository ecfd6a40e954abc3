"""Targets: what a network is turned into outside Python, and how that is built, run and compared.

``registry.py`` names them and says what each must do; ``c/`` is C99 for microcontrollers.
"""
