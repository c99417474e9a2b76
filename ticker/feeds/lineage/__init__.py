"""Where a price came from: the packet, the message, and what became of it."""
