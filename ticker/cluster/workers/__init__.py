"""The processes of the bus: the relay of an ingest box, the bridge of a feed."""
