"""Answers that are code, as a student writes them: the reference solutions, and plausible wrong ones.

The lint of the bank runs them all, and an answer that behaves like a wrong one gets that one's message.
"""
