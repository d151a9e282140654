"""The webhook's certificates: when to renew them, and the Secret that stores them."""
