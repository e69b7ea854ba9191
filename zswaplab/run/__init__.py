"""Who runs when, and who watches: CPUs and schedules, search, sanitizers, history."""
