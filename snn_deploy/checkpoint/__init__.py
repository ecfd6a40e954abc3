"""Reading checkpoint files without running anything that is in them.

``read_checkpoint`` looks at the container (``torch_zip``, ``legacy``, ``safetensors_file``). The
two PyTorch containers hold a pickle, which ``unpickle`` interprets with the inert things of
``vocabulary``; ``plain_data`` and ``tensors`` turn the result into dictionaries and arrays, and
``contents`` finds state dict and configuration in them. ``folder`` is for several files.
"""

from snn_deploy.checkpoint.contents import Choice
from snn_deploy.checkpoint.reader import (
    Checkpoint,
    read_checkpoint,
    read_checkpoint_bytes,
    read_torch,
)

__all__ = ["Checkpoint", "Choice", "read_checkpoint", "read_checkpoint_bytes", "read_torch"]
