"""Pictures with boxes: readers, label check, augmentation and the loader that feeds training."""

from detrt.data.opening import open_dataset
from detrt.data.sample import Annotation, DataSet, Picture, Sample

__all__ = ["Annotation", "DataSet", "Picture", "Sample", "open_dataset"]
