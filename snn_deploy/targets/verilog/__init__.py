"""Verilog for FPGAs: a network as one core that takes a step's words in and gives answers.

A sequencer runs jobs one after the other, each a pipelined datapath over channels, modes or events.
Nodes whose programs are alike share a datapath.

================  ================================================================================
``cells``         a datapath: registers and wires, put into stages
``operations``    operations of programs as cells
``memory``        memories, and the files with what they hold
``signals``       where the nodes' signals lie
``grouping``      which nodes share a datapath
``neuron_unit``   nodes that share datapaths
``phase``         one of these, a loop over channels or modes
``reads``         what it reads
``synapse_unit``  those of synapses, driven by events
``jobs``          what the sequencer runs
``design``        a network's units and jobs
``core``          all of that as text
``divider``       the reciprocal of a number of steps
``bench``         test benches
``selftest``      one for boards
``serial``        the core behind a few pins
``simulators``    which simulators there are, and calling them
``resources``     what an FPGA has
``parts``         those that open tools place and route for
``fit``           whether a network's core fits one
``activity``      how many cycles a step takes
``estimate``      what a design takes of them
``synthesis``     placing and routing it
``target``        writing, simulating
================  ================================================================================
"""
