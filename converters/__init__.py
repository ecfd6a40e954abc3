"""One module a checkpoint family, each from a checkpoint to a float network.

The folder stands at the top of the repository but is installed as ``snn_deploy.converters``.
"""

from __future__ import annotations

if __name__ == "converters":
    # Python finds this folder when it starts in the repository's root; a second copy of every
    # module would then fail each isinstance check against the first.
    raise ImportError(
        "converters is a part of the package snn_deploy: write `import snn_deploy.converters`"
    )
