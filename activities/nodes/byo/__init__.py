"""The user's own nodes (bring your own): reserved and watched, never bought."""
