"""Everything together: real nodes, real images, a real model."""
