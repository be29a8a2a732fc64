"""From corpora to two fits, and the figures."""
