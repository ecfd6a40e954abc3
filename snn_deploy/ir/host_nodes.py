"""The nodes that only a host computes, all in one place."""

from snn_deploy.nodes.embedding_table import Cluster, EmbeddingTable, Projection, Table
from snn_deploy.nodes.positions import Positions
from snn_deploy.nodes.window import Window

__all__ = ["Cluster", "EmbeddingTable", "Positions", "Projection", "Table", "Window"]
