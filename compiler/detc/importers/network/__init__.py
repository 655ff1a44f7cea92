"""From another tool's network to our graph, its weights and the ranges of its numbers.

`views` says where the numbers of a file's tensor lie in a tensor of ours, whatever the file's layout; `drawing` holds the graph
as it grows; `tflite_ops` and `onnx_ops` translate operators; `heads` finds what the outputs are; `translating` runs it all.
"""
