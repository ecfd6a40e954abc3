"""A family of checkpoints, its neuron and a chip for snn-deploy."""
