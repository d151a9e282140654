"""What happens to processes and servers: killed, frozen, slow, answering nonsense."""
