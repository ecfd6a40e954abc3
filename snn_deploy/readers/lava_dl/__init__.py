"""lava-dl's ``.net`` files: networks that SLAYER trained, in Loihi's integers already."""
