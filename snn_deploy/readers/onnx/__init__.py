"""ONNX models of feed-forward networks, float or quantised, as sources.

=============  ===================================================================================
``graph``      the model as plain data, checked; nothing of it is run
``patterns``   operators that are one function
``signals``    what a value of the graph is: an array, or a signal of the network
``folding``    operators on arrays that are known
``layers``     operators that become nodes
``spatial``    convolutions and pools
``quantised``  quantisers
``network``    a whole graph
``reader``     the reader
=============  ===================================================================================
"""
