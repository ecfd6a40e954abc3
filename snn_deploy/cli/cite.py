"""``snn-deploy cite``: how to cite it, and what it is built on."""

from __future__ import annotations

import click

from snn_deploy.cli.console import echo, write_json
from snn_deploy.cli.options import json_option
from snn_deploy.version import __version__

__all__ = ["REFERENCE", "cite"]

REFERENCE = {
    "title": "snn-deploy: trained spiking state-space networks on neuromorphic hardware",
    "author": "The snn-deploy authors",
    "year": "2026",
    "version": __version__,
    "license": "Apache-2.0",
}
"""As in CITATION.cff, which stands beside the source."""


@click.command(short_help="Say how to cite snn-deploy.")
@json_option
def cite(json_path: str | None) -> None:
    """Print a BibTeX entry; cite the networks' authors and the profiles' sources, too."""
    echo("@software{snn_deploy,")
    for key, value in REFERENCE.items():
        braced = f"{{{{{value}}}}}" if key in ("title", "author") else f"{{{value}}}"
        echo(f"  {key:<8}= {braced},")
    echo("}")
    echo()
    echo("Where a profile's numbers come from: snn-deploy targets NAME.")
    write_json(json_path, REFERENCE)
