"""The numbers of TFLite's schema: types, operators, and the fields of the options that are read.

Source: tensorflow/lite/schema/schema.fbs (enums TensorType, BuiltinOperator, Padding, ActivationFunctionType; tables *Options).
"""

from __future__ import annotations

DTYPES = (
    "f32", "f16", "i32", "u8", "i64", "other", "bool", "i16", "other", "i8",
    "f64", "other", "u64", "other", "other", "u32", "u16", "other", "bf16",
)  # fmt: skip

_OPERATORS = """ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
    FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
    MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
    SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND
    TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT
    LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL
    LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
    ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
    REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS
    SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG
    ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
    BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
    HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE
    ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU"""
OPERATORS = tuple(_OPERATORS.split())
"""Names by the schema's numbers."""

WORDS: dict[str, tuple[str, ...]] = {
    "padding": ("SAME", "VALID"),
    "fused_activation_function": ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT"),
}
"""Options that are words: their numbers."""

_FUSED = ("fused_activation_function", "b", 0)

OPTIONS: dict[str, tuple[tuple[str, str, int] | None, ...]] = {
    "CONV_2D": (
        ("padding", "b", 0), ("stride_w", "i", 0), ("stride_h", "i", 0), _FUSED,
        ("dilation_w_factor", "i", 1), ("dilation_h_factor", "i", 1),
    ),
    "DEPTHWISE_CONV_2D": (
        ("padding", "b", 0), ("stride_w", "i", 0), ("stride_h", "i", 0), ("depth_multiplier", "i", 0), _FUSED,
        ("dilation_w_factor", "i", 1), ("dilation_h_factor", "i", 1),
    ),
    "TRANSPOSE_CONV": (("padding", "b", 0), ("stride_w", "i", 0), ("stride_h", "i", 0), _FUSED),
    **dict.fromkeys(
        ("AVERAGE_POOL_2D", "MAX_POOL_2D"),
        (
            ("padding", "b", 0), ("stride_w", "i", 0), ("stride_h", "i", 0),
            ("filter_width", "i", 0), ("filter_height", "i", 0), _FUSED,
        ),
    ),
    "FULLY_CONNECTED": (_FUSED, ("weights_format", "b", 0), ("keep_num_dims", "?", 0)),
    "CONCATENATION": (("axis", "i", 0), _FUSED),
    **dict.fromkeys(("ADD", "MUL", "SUB", "DIV"), (_FUSED,)),
    "SOFTMAX": (("beta", "f", 0),),
    "RESIZE_BILINEAR": (None, None, ("align_corners", "?", 0), ("half_pixel_centers", "?", 0)),
    "RESIZE_NEAREST_NEIGHBOR": (("align_corners", "?", 0), ("half_pixel_centers", "?", 0)),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), (("keep_dims", "?", 0),)),
    "STRIDED_SLICE": (
        ("begin_mask", "i", 0), ("end_mask", "i", 0), ("ellipsis_mask", "i", 0), ("new_axis_mask", "i", 0),
        ("shrink_axis_mask", "i", 0),
    ),
    "SPLIT": (("num_splits", "i", 0),),
    "SPLIT_V": (("num_splits", "i", 0),),
    "SPACE_TO_DEPTH": (("block_size", "i", 0),),
    "DEPTH_TO_SPACE": (("block_size", "i", 0),),
    "LEAKY_RELU": (("alpha", "f", 0),),
    "PACK": (("values_count", "i", 0), ("axis", "i", 0)),
    "UNPACK": (("num", "i", 0), ("axis", "i", 0)),
    "GATHER": (("axis", "i", 0), ("batch_dims", "i", 0)),
    "GELU": (("approximate", "?", 0),),
}  # fmt: skip
"""Fields of an operator's options in the order of the schema, with their kind and default; None for one that is deprecated."""
