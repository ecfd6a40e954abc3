"""The command line: thin, it parses, calls the Python interface, and prints."""

from snn_deploy.cli.main import main

__all__ = ["main"]
