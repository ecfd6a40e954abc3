"""The native engine: compiled for the CPU that it runs on, and equal to the reference to the bit.

=====================  =========================================================================
``engine``             NativeEngine: whole batches, also of networks that read time backwards
``stream``             NativeSession: chunks of a stream through a causal network, state carried
``session``            what both stand on: sweeps over chunks of time, on all cores
``fast_program``       any network whose integers provably fit doubles, as a list of operations
``operations``         the compiled function that carries them out
``dendrite_kernel``    the loop that everything else is small against
``dendrite_modes``     its inside: the modes, in doubles or in floats
``dendrite_layout``    its coefficients, and the proof that they are exact
``vectors``            exact integers in vectors of doubles
``fast_state``         what is carried from chunk to chunk, in an order that all machines share
``exact``              any network, in 64-bit integers
``exact_kernels``      its loops
``compilation``        how loops are compiled, and where the machine code is kept
=====================  =========================================================================
"""

from __future__ import annotations

from snn_deploy.engines.native.engine import NativeEngine
from snn_deploy.engines.native.stream import NativeSession

__all__ = ["NativeEngine", "NativeSession"]
