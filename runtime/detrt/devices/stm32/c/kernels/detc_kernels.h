/* int8 kernels: one function a kind of step. C99 with string.h and stdint.h only; no heap, no state between calls.

   Maps lie in memory as [height][width][channels], vectors as [features]. What each kernel computes is said in program.py and
   arithmetic.py; every path computes exactly that:

       __ARM_FEATURE_MVE   M55            vectors of 16 numbers (Helium)
       __ARM_FEATURE_DSP   M4, M7, M33    two products an instruction (SMLAD)
       neither             any processor  plain C

   -DDETC_PORTABLE takes the plain path on every processor.

   Scratch: bytes that a kernel overwrites and whose content it does not keep, aligned to 8. The macros DETC_*_SCRATCH say how
   many; the planner computes the same (scratch.py). Kernels without a macro need none: they take no scratch pointer.

   Words are loaded at any address, so maps, weights and tables must lie in memory of type Normal: where the processor's own map says
   Device, as for the SDRAM of an STM32H7 at 0xD0000000, the MPU has to say otherwise.

   Overlap: where input and output may share bytes. Kernels write the pixels of a map in the order of memory. Let low(p) be the
   lowest offset in the input that is read for any pixel >= p of the output; n the pixels and c the channels of the output. Then
   the output may lie anywhere where, for all p in 0 .. n - 1,

       output + min(p + AHEAD, n) * c <= input + low(p)

   or where the two do not overlap. AHEAD is the DETC_*_AHEAD below; for kernels with "in place" it is enough that the output
   begins at the input's first byte or before it. All others need an output apart from their inputs. */
#ifndef DETC_KERNELS_H
#define DETC_KERNELS_H

#include <stdint.h>

typedef struct {
    int32_t height, width, channels;
} detc_shape;

typedef struct {
    int32_t rows, columns;
} detc_pair;

/* What pads a map on its top and left; bottom and right follow from the output's shape. */
typedef struct {
    int32_t top, left;
} detc_corner;

/* a -> floor((a * 2^left * multiplier / 2^32 + 2^(right - 1)) / 2^right): multiplier 0 .. 2^31 - 1, left 0 .. 15, right 1 .. 31. */
typedef struct {
    int32_t multiplier, left, right;
} detc_rescale;

/* The same, one a channel of the output. `left` is 0 (no pointer) where all are 0. */
typedef struct {
    const int32_t *multiplier;
    const uint8_t *left, *right;
} detc_rescales;

/* The end of every computing kernel: q = table[clamp(zero + a, low, high) + 128]; `table` is 0 where there is none. */
typedef struct {
    int32_t zero, low, high;
    const int8_t *table;
} detc_output;

/* Weights as `weights_layout.paired` lays them out; bias as `weights_layout.folded_bias` computes it. */
typedef struct {
    detc_shape input, output;
    detc_pair kernel, stride, dilation;
    detc_corner pad;
    int32_t groups;
    int32_t zero_in; /* what pads */
    const int8_t *weights;
    const int32_t *bias;
    detc_rescales rescale;
    detc_output to;
} detc_conv_params;

/* A pointwise convolution (1x1, no pad, one group) takes a faster way and needs less scratch. `k` is the products of one sum:
   rows * columns * channels of the input / groups. */
#define DETC_CONV_SCRATCH(k) (((k) + 3) / 4 * 4 + ((k) + 1) / 2 * 16)
#define DETC_POINTWISE_SCRATCH(k) (((k) + 1) / 2 * 16)
#define DETC_CONV_AHEAD 0 /* with one group; more groups need an output apart */
void detc_conv(const detc_conv_params *params, const int8_t *input, int8_t *output, void *scratch);

/* Weights [rows][columns][channels] as they are; bias as in detc_conv. `narrow` is 1 where no weight is -128, else 0. */
typedef struct {
    detc_shape input, output;
    detc_pair kernel, stride, dilation;
    detc_corner pad;
    int32_t zero_in;
    int32_t narrow;
    const int8_t *weights;
    const int32_t *bias;
    detc_rescales rescale;
    detc_output to;
} detc_depthwise_params;

/* `taps` is rows * columns of the kernel. */
#define DETC_DEPTHWISE_SCRATCH(taps, channels) (((channels) + 7) / 8 * 8 + ((taps) + 1) / 2 * (16 + 4 * (channels)))
#define DETC_DEPTHWISE_AHEAD 1
void detc_depthwise(const detc_depthwise_params *params, const int8_t *input, int8_t *output, void *scratch);

/* Weights and bias as in detc_conv. */
typedef struct {
    int32_t inputs, outputs;
    const int8_t *weights;
    const int32_t *bias;
    detc_rescales rescale;
    detc_output to;
} detc_dense_params;

#define DETC_DENSE_SCRATCH(inputs) (((inputs) + 1) / 2 * 4)
void detc_dense(const detc_dense_params *params, const int8_t *input, int8_t *output, void *scratch);

typedef struct {
    detc_shape input, output;
    detc_pair kernel, stride;
    detc_corner pad;
} detc_max_pool_params;

#define DETC_MAX_POOL_AHEAD 1
void detc_max_pool(const detc_max_pool_params *params, const int8_t *input, int8_t *output);

typedef struct {
    detc_shape input, output;
    detc_pair kernel, stride;
    detc_corner pad;
    int32_t zero_in;
    detc_rescale rescale;
    detc_output to;
} detc_average_pool_params;

#define DETC_AVERAGE_POOL_AHEAD 1
void detc_average_pool(const detc_average_pool_params *params, const int8_t *input, int8_t *output);

/* In place on either input or on both (x and y may be the same). */
typedef struct {
    int32_t count; /* of numbers */
    int32_t zero_x, zero_y, multiplier_x, multiplier_y, shift;
    detc_output to;
} detc_add_params;

void detc_add(const detc_add_params *params, const int8_t *x, const int8_t *y, int8_t *output);

/* y has x's shape, or [1][1][channels] where `broadcast` is 1. In place on x, and on y where it has x's shape. */
typedef struct {
    int32_t pixels, channels;
    int32_t broadcast;
    int32_t zero_x, zero_y;
    detc_rescale rescale;
    detc_output to;
} detc_mul_params;

void detc_mul(const detc_mul_params *params, const int8_t *x, const int8_t *y, int8_t *output);

/* `channels` [inputs]; `tables` [inputs], each 256 numbers or 0; `tables` is 0 where there are none. */
typedef struct {
    int32_t pixels, inputs;
    const int32_t *channels;
    const int8_t *const *tables;
} detc_concat_params;

void detc_concat(const detc_concat_params *params, const int8_t *const *inputs, int8_t *output);

/* In place. */
typedef struct {
    int32_t count;
    const int8_t *table;
} detc_table_params;

void detc_table(const detc_table_params *params, const int8_t *input, int8_t *output);

typedef struct {
    detc_shape input;
    detc_pair factor;
    int32_t bilinear;
} detc_resize_params;

void detc_resize(const detc_resize_params *params, const int8_t *input, int8_t *output);

/* In place. */
typedef struct {
    int32_t pixels, channels; /* of the input */
    int32_t first, count, every;
} detc_channels_params;

void detc_channels(const detc_channels_params *params, const int8_t *input, int8_t *output);

typedef struct {
    int32_t pixels, channels;
    int32_t groups;
} detc_shuffle_params;

#define DETC_SHUFFLE_AHEAD 1
void detc_shuffle(const detc_shuffle_params *params, const int8_t *input, int8_t *output);

/* `order` [block * block]: the pixels of a block in the order of their channels. */
typedef struct {
    detc_shape input;
    int32_t block;
    const detc_pair *order;
} detc_space_to_depth_params;

#define DETC_SPACE_TO_DEPTH_AHEAD 1
void detc_space_to_depth(const detc_space_to_depth_params *params, const int8_t *input, int8_t *output);

typedef struct {
    detc_shape input, output;
    detc_corner pad;
    int32_t zero;
} detc_pad_params;

void detc_pad(const detc_pad_params *params, const int8_t *input, int8_t *output);

/* Axis i of the output is axis axes[i] of the input; shape of the input, front axes 1 where it has fewer than three. */
typedef struct {
    int32_t shape[3];
    int32_t axes[3];
} detc_reorder_params;

void detc_reorder(const detc_reorder_params *params, const int8_t *input, int8_t *output);

#endif
