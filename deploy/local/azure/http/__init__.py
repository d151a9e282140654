"""ARM's REST routes, the control endpoint, and the gate in front of both."""
