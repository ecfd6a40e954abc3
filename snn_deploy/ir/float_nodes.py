"""The float nodes, all in one place."""

from snn_deploy.nodes.affine import Affine
from snn_deploy.nodes.embedding import Embedding
from snn_deploy.nodes.float_inputs import CountInput, FloatInput, TokenInput
from snn_deploy.nodes.float_lif import Lif, SurrogateWeights
from snn_deploy.nodes.glu import Glu
from snn_deploy.nodes.layer_norm import LayerNorm
from snn_deploy.nodes.linear import Linear
from snn_deploy.nodes.readout import Readout
from snn_deploy.nodes.residual import Residual
from snn_deploy.nodes.ssm import DiagonalSsm, DssSsm

__all__ = [
    "Affine",
    "CountInput",
    "DiagonalSsm",
    "DssSsm",
    "Embedding",
    "FloatInput",
    "Glu",
    "LayerNorm",
    "Lif",
    "Linear",
    "Readout",
    "Residual",
    "SurrogateWeights",
    "TokenInput",
]
