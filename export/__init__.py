"""From fits to a bundle."""
