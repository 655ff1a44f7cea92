"""ONNX files, read with the package `onnx` (extra `export`) after their size is checked."""
