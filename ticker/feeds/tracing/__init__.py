"""Messages of traced symbols, kept while a feed goes on."""
