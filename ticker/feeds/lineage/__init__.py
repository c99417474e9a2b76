"""The origin of a price: the packet, the message, and its effect."""
