"""This machine: processes, commands, listeners, cgroups, mounts."""
