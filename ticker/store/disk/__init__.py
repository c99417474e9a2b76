"""Files on a disk: how they are written so that one is always whole, and how a disk fails."""
