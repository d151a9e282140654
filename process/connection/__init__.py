"""How a process reaches Temporal: what is configured, what a refusal means, credentials that change while it runs."""
