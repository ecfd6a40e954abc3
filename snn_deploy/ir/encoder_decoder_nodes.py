"""The float nodes of the less common encoders and decoders, all in one place."""

from snn_deploy.nodes.convolution import Conv1d
from snn_deploy.nodes.embedding import AdaptiveEmbedding
from snn_deploy.nodes.heads import AdaptiveLogSoftmax, FirstSteps, RetrievalHead
from snn_deploy.nodes.positional_encoding import PositionalEncoding
from snn_deploy.nodes.readout import CumulativeReadout

__all__ = [
    "AdaptiveEmbedding",
    "AdaptiveLogSoftmax",
    "Conv1d",
    "CumulativeReadout",
    "FirstSteps",
    "PositionalEncoding",
    "RetrievalHead",
]
