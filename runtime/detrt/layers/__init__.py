"""Modules of generated nets that torch has none of."""

from detrt.layers.neurons import Cuba, DeltaEncoder, Sigma, SigmaDelta
from detrt.layers.synapses import Unpool, WeightNormConv2d, WeightNormLinear

__all__ = ["Cuba", "DeltaEncoder", "Sigma", "SigmaDelta", "Unpool", "WeightNormConv2d", "WeightNormLinear"]
