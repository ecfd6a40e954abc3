"""The bundled example: a small checkpoint and its data, installed as ``snn_deploy.examples``."""

from __future__ import annotations
