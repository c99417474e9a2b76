"""What outlives the server: last prices on disk, written by a worker that reads segments."""
