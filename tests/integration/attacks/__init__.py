"""What a tenant, a pod or a neighbour would do, on a real API server with the shipped roles."""
