"""The integer network as Lava processes, run in a supervised child process.

``engine`` is what the rest of the package sees. It cuts the network into sweeps over time
(``segments``), hands them to a child over files (``job``), with the ``kinds`` of node that the
child would not know, and watches it (``supervisor``). Only the child (``worker``) imports Lava:
importing it fixes how a whole program starts processes, and it runs on Python 3.10 only.
``builder`` wires one segment from stock LIF and Dense, which a chip has, and from our own
``processes``, whose ``models`` take the steps of a node's program; ``recorder`` writes down what
they send.
"""
