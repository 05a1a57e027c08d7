"""One file a page. Each is made once and shows what the model and the engine say; GUI thread only."""
