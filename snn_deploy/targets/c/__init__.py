"""C99 for microcontrollers: a network as one source file without heap, libc or floats.

==============  ==================================================================================
``ranges``      which C type holds a value
``operations``  one operation as a C expression
``helpers``     the few functions that expressions call
``tables``      constant data, equal tables shared
``window``      steps side by side, which a convolution over time reads
``neuron``      a node's program as a C function
``source``      a whole network: state, work, and the functions that a user calls
``files``       header and source
``runner``      a program that runs sequences which it reads, for comparing with other engines
``compiler``    which C compilers there are, and calling them
``target``      all of that together
==============  ==================================================================================
"""
