"""Beyond one box: a relay publishes feeds on a bus, a bridge writes a feed's segment from it."""
