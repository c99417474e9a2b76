"""What is written to disks: the store, the recorder, and a start from what they wrote."""
