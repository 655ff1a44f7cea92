/* Counts the ticks of SysTick that each layer of layers.h takes: with the kernels of detc, and with the plain loops below. */
#include "detc_kernels.h"
#include "semihosting.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)

typedef struct {
    detc_shape input, output;
    int32_t kernel, stride, pad, zero_in, depthwise;
    const int8_t *weights, *laid_out; /* as a Program holds them, and as the kernels take them */
    const int32_t *bias, *folded;
    const int32_t *multiplier;
    const uint8_t *right;
    detc_output to;
} layer;

#include "layers.h"

static int8_t input[MOST_INPUT], expected[MOST_OUTPUT], output[MOST_OUTPUT];
static int8_t scratch[MOST_SCRATCH] __attribute__((aligned(8)));

static int8_t finished(const layer *l, int32_t sum, int32_t channel)
{
    const int32_t high = (int32_t)(((int64_t)sum * l->multiplier[channel]) >> 32);
    int32_t q = ((high + (1 << (l->right[channel] - 1))) >> l->right[channel]) + l->to.zero;
    q = q < l->to.low ? l->to.low : q;
    return (int8_t)(q > l->to.high ? l->to.high : q);
}

/* The plain loops work on a copy of the layer: the compiler need not fear that what they write changes it. */
static __attribute__((noinline)) void plain_pointwise(const layer *at)
{
    const layer l = *at;
    const int32_t k = l.input.channels;
    int8_t *to = expected;
    for (const int8_t *pixel = input; to < expected + l.output.height * l.output.width * l.output.channels; pixel += k) {
        const int8_t *w = l.weights;
        for (int32_t o = 0; o < l.output.channels; o++) {
            int32_t sum = l.bias[o];
            for (int32_t i = 0; i < k; i++) {
                sum += *w++ * (pixel[i] - l.zero_in);
            }
            *to++ = finished(&l, sum, o);
        }
    }
}

static __attribute__((noinline)) void plain_conv(const layer *at)
{
    const layer l = *at;
    const int32_t inner = l.input.channels;
    int8_t *to = expected;
    for (int32_t y = 0; y < l.output.height; y++) {
        for (int32_t x = 0; x < l.output.width; x++) {
            const int8_t *w = l.weights;
            for (int32_t o = 0; o < l.output.channels; o++) {
                int32_t sum = l.bias[o];
                for (int32_t r = 0; r < l.kernel; r++) {
                    const int32_t row = y * l.stride + r - l.pad;
                    for (int32_t c = 0; c < l.kernel; c++, w += inner) {
                        const int32_t column = x * l.stride + c - l.pad;
                        if (row >= 0 && row < l.input.height && column >= 0 && column < l.input.width) {
                            const int8_t *const from = input + (row * l.input.width + column) * inner;
                            for (int32_t i = 0; i < inner; i++) {
                                sum += w[i] * (from[i] - l.zero_in);
                            }
                        }
                    }
                }
                *to++ = finished(&l, sum, o);
            }
        }
    }
}

static __attribute__((noinline)) void plain_depthwise(const layer *at)
{
    const layer l = *at;
    const int32_t channels = l.input.channels;
    int8_t *to = expected;
    for (int32_t y = 0; y < l.output.height; y++) {
        const int32_t top = y * l.stride - l.pad;
        for (int32_t x = 0; x < l.output.width; x++) {
            const int32_t left = x * l.stride - l.pad;
            for (int32_t o = 0; o < channels; o++) {
                int32_t sum = l.bias[o];
                for (int32_t r = 0; r < l.kernel; r++) {
                    if (top + r >= 0 && top + r < l.input.height) {
                        const int8_t *from = input + ((top + r) * l.input.width + left) * channels + o;
                        const int8_t *w = l.weights + r * l.kernel * channels + o;
                        for (int32_t c = 0; c < l.kernel; c++, from += channels, w += channels) {
                            if (left + c >= 0 && left + c < l.input.width) {
                                sum += *w * (*from - l.zero_in);
                            }
                        }
                    }
                }
                *to++ = finished(&l, sum, o);
            }
        }
    }
}

static void plain(const layer *l)
{
    if (l->depthwise) {
        plain_depthwise(l);
    } else if (l->kernel == 1) {
        plain_pointwise(l);
    } else {
        plain_conv(l);
    }
}

static void ours(const layer *l)
{
    const detc_pair kernel = {l->kernel, l->kernel}, stride = {l->stride, l->stride}, dense = {1, 1};
    const detc_corner pad = {l->pad, l->pad};
    const detc_rescales rescale = {l->multiplier, 0, l->right};
    if (l->depthwise) {
        const detc_depthwise_params p = {
            l->input, l->output, kernel, stride, dense, pad, l->zero_in, 1, l->laid_out, l->folded, rescale, l->to};
        detc_depthwise(&p, input, output, scratch);
    } else {
        const detc_conv_params p = {
            l->input, l->output, kernel, stride, dense, pad, 1, l->zero_in, l->laid_out, l->folded, rescale, l->to};
        detc_conv(&p, input, output, scratch);
    }
}

static uint32_t ticks(void (*run)(const layer *), const layer *l)
{
    const uint32_t before = SYSTICK_VALUE;
    run(l);
    return (before - SYSTICK_VALUE) & 0xFFFFFFu;
}

static void print(uint32_t number, const char *end)
{
    char digits[12], *first = digits + 11;
    *first = 0;
    do {
        *--first = (char)('0' + number % 10u);
        number /= 10u;
    } while (number > 0u);
    semihosting(SEMIHOSTING_WRITE0, first);
    semihosting(SEMIHOSTING_WRITE0, end);
}

/* A line a layer: ticks of the kernel, ticks of the plain loops, whether they give the same. */
int main(void)
{
    uint32_t random = 1u;
    for (int32_t i = 0; i < MOST_INPUT; i++) {
        random = random * 1664525u + 1013904223u;
        input[i] = (int8_t)(random >> 24);
    }
    SYSTICK_RELOAD = 0xFFFFFFu;
    SYSTICK_VALUE = 0u;
    SYSTICK_CONTROL = 5u;
    while (SYSTICK_VALUE == 0u) {
    }
    for (uint32_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const layer *const l = layers + i;
        const int32_t count = l->output.height * l->output.width * l->output.channels;
        const uint32_t fast = ticks(ours, l), slow = ticks(plain, l);
        uint32_t same = 1u;
        for (int32_t n = 0; n < count; n++) {
            same = same && output[n] == expected[n];
        }
        print(fast, " ");
        print(slow, " ");
        print(same, "\n");
    }
    return 0;
}
