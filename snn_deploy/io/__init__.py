"""Files that this project writes and reads back, whole or not at all."""
