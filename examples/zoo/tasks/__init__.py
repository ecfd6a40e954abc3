"""What the zoo's networks learn, one file a task."""
