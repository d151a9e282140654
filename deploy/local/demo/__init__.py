"""The demo: from nothing to an answered chat."""
