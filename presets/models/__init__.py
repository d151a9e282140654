"""Which models are known, and what is known of them."""
