"""Other servers beside ours: the same ticks and clients in one run (bench/PEERS.md)."""
