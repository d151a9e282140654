"""The two ConfigMaps that a Workspace can name: how they are read, which keys they hold, what each value must be."""
