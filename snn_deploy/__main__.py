"""``python -m snn_deploy``, the same as the command ``snn-deploy``."""

from __future__ import annotations

from snn_deploy.cli import main

if __name__ == "__main__":
    main()
