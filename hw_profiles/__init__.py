"""Hardware profiles as TOML data, every number with its unit and its source.

The folder stands at the top of the repository but is installed as ``snn_deploy.hw_profiles``.
"""

from __future__ import annotations
