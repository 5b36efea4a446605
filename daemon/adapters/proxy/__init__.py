"""The data plane: forwards bytes, hands copies to a tap."""
