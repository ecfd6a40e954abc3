"""What a deployment costs and where it lost anything."""
