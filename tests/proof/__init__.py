"""The consolidated price recomputed: shares no code with ticker/feeds or ticker/gateway."""
