"""lava-dl's ``.net`` files, written."""
