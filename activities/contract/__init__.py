"""All that a workflow may import of the activities: their signatures, queues, policies, payloads and failures."""
