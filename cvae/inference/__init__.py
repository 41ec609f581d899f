"""A trained model as functions of arrays."""
