"""File formats of other tools that hold a deployment: written, and read back to the same bits."""
