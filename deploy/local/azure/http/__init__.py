"""ARM's REST routes, the control endpoint, and what every request passes first."""
