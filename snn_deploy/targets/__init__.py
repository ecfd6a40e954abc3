"""Targets: what a network is turned into outside Python, and how that is built, run and compared.

``registry.py`` names them and says what each must do; ``c/`` is C99 for microcontrollers,
``verilog/`` is Verilog for FPGAs.

=============  ===================================================================================
``layout``     what of a network is in memory, and which nodes speak at the end only
``node_work``  what there is to write of one node, and what its values can be
``schedule``   which loop a neuron's values belong to: layer, channel or mode, and in what order
``ranges``     which integers a value can be
``names``      a stranger's names in generated text
``files``      writing generated files
``vectors``    test vectors
``program``    what was built, compared with the engines
=============  ===================================================================================
"""
