"""Export of trained models to ONNX, and the use of exported models."""
