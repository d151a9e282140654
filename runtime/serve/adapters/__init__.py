"""The adapters of a model that is about to be served: waited for, and compared with the model's weights."""
