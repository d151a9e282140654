"""What an attacker would do, against a real API server with the shipped roles."""
