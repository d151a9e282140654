"""KAITO's `POST /chat` beside vLLM's own routes."""
