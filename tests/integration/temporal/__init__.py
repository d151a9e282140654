"""Temporal behind TLS, client certificates and API keys: real servers, a proxy that asks for them."""
