"""ONNX: a deployment as models that onnxruntime runs to the same bits.

==============  ==================================================================================
``operations``  the operations of programs, each as a function in ONNX's own text
``graph``       putting nodes of a graph or a function together
``functions``   a node's program as a function; equal ones are shared
``host``        the same of what the host computes: tables, windows, positions
``parameters``  the network's arrays as initialisers
``clock``       the words that a sequencer gives, computed from lengths and steps
``step``        one step of some nodes: states in, states out
``sequence``    whole sequences: a ``Scan`` where there is a state
``model``       a complete model, and what its metadata say
``file``        files: written, and read back
``engine``      running a model as an engine
==============  ==================================================================================

``file`` alone is imported without the package ``onnx``.
"""
