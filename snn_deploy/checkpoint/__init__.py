"""Reading checkpoint files without running anything that is in them.

``read_checkpoint`` looks at the container (``torch_zip``, ``legacy``, ``safetensors_file``). The
two PyTorch containers hold a pickle, which ``unpickle`` interprets with the fixed list of names in
``vocabulary``; ``plain_data`` and ``tensors`` turn the result into dictionaries and arrays.
"""

from snn_deploy.checkpoint.reader import Checkpoint, read_checkpoint, read_checkpoint_bytes

__all__ = ["Checkpoint", "read_checkpoint", "read_checkpoint_bytes"]
