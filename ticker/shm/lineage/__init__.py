"""Where a price came from, as shared memory says it."""
