"""The native engine: in C++ for whatever CPU it runs on, and equal to the reference to the bit.

=====================  =========================================================================
``engine``             NativeEngine: whole batches, also of networks that read time backwards
``stream``             NativeSession: chunks of a stream through a causal network, state carried
``session``            what both stand on: sweeps over chunks of time, on all cores
``plan``               a network taken apart: what the host, the sweeps and the end compute
``flow``               a few sequences on their way
``threads``            how many cores are used, and work for all of them
``program``            any network as a list of operations, which the library carries out
``assembly``           from a plan to that
``parts``              what that list refers to: numbers, tables, states
``emitters``           what is done for each node: on a kernel or a compiled step in doubles, or in
                       64-bit integers
``compiled``           a neuron's program as C++, which is compiled with the library
``exactness``          the proof that doubles do it exactly
``dendrite_layout``    the same for dendrites, in floats or doubles; the coefficients of their modes
                       are in ``dendrite_coefficients``
``synapse_layout``     the same for synapses' weights; ``wide_weights`` joins those that a chip
                       has in several words
``program_code``       a neuron's program as instructions, for all that is not compiled
``carried``            what is carried from chunk to chunk: its forms, and an order that all share
``closing``            what is computed once a sequence, at its end
``library``            the compiled code, of ``src/``: found, or built (``build``), and loaded
``abi``                what passes between it and Python
=====================  =========================================================================
"""

from __future__ import annotations

from snn_deploy.engines.native.engine import NativeEngine
from snn_deploy.engines.native.stream import NativeSession

__all__ = ["NativeEngine", "NativeSession"]
