"""What several models are built from: towers of layers, tables of items, histories."""
