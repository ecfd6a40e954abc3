"""Running a deployed network: whole batches, chunks, and streams."""
