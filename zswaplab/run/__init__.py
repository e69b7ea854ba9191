"""Who runs when, and who watches: drivers and history."""
