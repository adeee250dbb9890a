"""Networks from ONNX files: a graph becomes a JAX function whose weights are parameters."""
