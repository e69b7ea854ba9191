"""Pictures: the player, the lab panel, plots. Each module brings its own widgets when it is imported."""
