"""A float network that was made in Python: nothing is left to read."""

from __future__ import annotations

from snn_deploy.ir.network import Network
from snn_deploy.ir.storage import network_digest
from snn_deploy.readers.source import ReadOptions, Source, SourceProvenance

__all__ = ["NetworkReader"]


class NetworkReader:
    """Takes a float network as it is."""

    def recognises(self, thing: object) -> bool:
        """Tell whether it is a network."""
        return isinstance(thing, Network)

    def read(self, thing: Network, options: ReadOptions) -> Source:
        """Give the network with the digest of its structure and parameters."""
        options.refuse("a Network")
        provenance = SourceProvenance("network", network_digest(thing), {"reader": "network"})
        return Source(thing, provenance)
