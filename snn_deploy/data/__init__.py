"""The user's data: arrays, long recordings, lines of text; read, and checked against a network."""
