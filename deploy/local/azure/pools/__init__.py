"""Agent pools as AKS has them: rules, shape, quota."""
