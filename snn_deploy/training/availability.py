"""Whether training is possible here at all."""

from __future__ import annotations

import os

from snn_deploy.errors import BackendUnavailableError
from snn_deploy.progress import doing

__all__ = ["require_torch"]


def require_torch() -> None:
    """Refuse to go on without PyTorch.

    Raises
    ------
    BackendUnavailableError
        If PyTorch is not installed, or is installed but cannot be imported.
    """
    # PyTorch's threads wait for each other without letting go of their cores, which on a machine
    # that does other work, too, can make every operation a hundred times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with doing("importing PyTorch"):
            import torch  # noqa: F401
    except ModuleNotFoundError:
        raise BackendUnavailableError(
            "fine-tuning needs PyTorch, which is not installed: pip install 'snn-deploy[torch]'"
        ) from None
    except (ImportError, OSError) as error:  # a wheel for another machine, a missing library
        raise BackendUnavailableError(
            f"fine-tuning needs PyTorch, which is installed but cannot be imported: {error}"
        ) from error
