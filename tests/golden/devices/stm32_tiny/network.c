# own output of detc; rewrite with pytest --update-golden
/* tiny on stm32h747i_disco: int8, 7 layers, 2,560 MACs a picture.
   Written by detc from tiny.det: change that and export again. */
#include "network.h"

#include "kernels/detc_kernels.h"
#include "network_weights.h"

/* Does not compile where a kernel needs more working memory than the plan gives it. */
#define ENOUGH(needed, given) ((void)sizeof(char[(needed) <= (given) ? 1 : -1]))

/* The arena. Tensors that are never alive together share its bytes. */
static int8_t arena_ram[NETWORK_ARENA_RAM_BYTES] NETWORK_ALIGNED NETWORK_PLACE_RAM;

static int8_t *const at_frame = arena_ram;                /* [8, 8, 3], 192 bytes, until stem.conv1 */
static int8_t *const at_stem_conv1 = arena_ram + 192;     /* [4, 4, 4], 64 bytes, until lite.add */
static int8_t *const at_lite_depthwise = arena_ram + 256; /* [4, 4, 4], 64 bytes, until lite.pointwise */
static int8_t *const at_lite_pointwise = arena_ram + 320; /* [4, 4, 4], 64 bytes, until lite.add */
static int8_t *const at_lite_add = arena_ram + 384;       /* [4, 4, 4], 64 bytes, until both */
static int8_t *const at_pool = arena_ram + 448;           /* [2, 2, 4], 16 bytes, until up */
static int8_t *const at_up = arena_ram + 464;             /* [4, 4, 4], 64 bytes, until both */
static int8_t *const at_both = arena_ram + 528;           /* [4, 4, 8], 128 bytes, output 0 */

/* stem.conv1: conv 3x3, stride 2, pad 0 0 1 1, relu6                                                tiny.det:12
   frame [8, 8, 3] -> stem.conv1 [4, 4, 4], 1,728 MACs */
static void run_stem_conv1(void)
{
    static const detc_conv_params layer = {
        .input = {8, 8, 3}, .output = {4, 4, 4},
        .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1},
        .pad = {0, 0}, .groups = 1, .zero_in = -128,
        .weights = stem_conv1_weights, .bias = stem_conv1_bias,
        .rescale = {stem_conv1_multiplier, 0, stem_conv1_right},
        .to = {.zero = -128, .low = -128, .high = 117, .table = 0},
    };
    ENOUGH(DETC_CONV_SCRATCH(27), 252);
    detc_conv(&layer, at_frame, at_stem_conv1, arena_ram + 656);
}

/* lite.depthwise: depthwise conv 3x3, pad 1                                                         tiny.det:13
   stem.conv1 [4, 4, 4] -> lite.depthwise [4, 4, 4], 576 MACs */
static void run_lite_depthwise(void)
{
    static const detc_depthwise_params layer = {
        .input = {4, 4, 4}, .output = {4, 4, 4},
        .kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1},
        .pad = {1, 1}, .zero_in = -128, .narrow = 1,
        .weights = lite_depthwise_weights, .bias = lite_depthwise_bias,
        .rescale = {lite_depthwise_multiplier, 0, lite_depthwise_right},
        .to = {.zero = -128, .low = -128, .high = 127, .table = 0},
    };
    ENOUGH(DETC_DEPTHWISE_SCRATCH(9, 4), 168);
    detc_depthwise(&layer, at_stem_conv1, at_lite_depthwise, arena_ram + 912);
}

/* lite.pointwise: conv 1x1, silu                                                                    tiny.det:14
   lite.depthwise [4, 4, 4] -> lite.pointwise [4, 4, 4], 256 MACs */
static void run_lite_pointwise(void)
{
    static const detc_conv_params layer = {
        .input = {4, 4, 4}, .output = {4, 4, 4},
        .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1},
        .pad = {0, 0}, .groups = 1, .zero_in = -128,
        .weights = lite_pointwise_weights, .bias = lite_pointwise_bias,
        .rescale = {lite_pointwise_multiplier, 0, lite_pointwise_right},
        .to = {.zero = 3, .low = -128, .high = 127, .table = lite_pointwise_table},
    };
    ENOUGH(DETC_POINTWISE_SCRATCH(4), 32);
    detc_conv(&layer, at_lite_depthwise, at_lite_pointwise, arena_ram + 1080);
}

/* lite.add: add                                                                                     tiny.det:15
   lite.pointwise [4, 4, 4] and stem.conv1 [4, 4, 4] -> lite.add [4, 4, 4] */
static void run_lite_add(void)
{
    static const detc_add_params layer = {
        .count = 64, .zero_x = 3, .zero_y = -128,
        .multiplier_x = 3413, .multiplier_y = 1365, .shift = 12,
        .to = {.zero = -5, .low = -128, .high = 127, .table = 0},
    };
    detc_add(&layer, at_lite_pointwise, at_stem_conv1, at_lite_add);
}

/* pool: max pool 2x2, stride 2                                                                      tiny.det:16
   lite.add [4, 4, 4] -> pool [2, 2, 4] */
static void run_pool(void)
{
    static const detc_max_pool_params layer = {
        .input = {4, 4, 4}, .output = {2, 2, 4},
        .kernel = {2, 2}, .stride = {2, 2}, .pad = {0, 0},
    };
    detc_max_pool(&layer, at_lite_add, at_pool);
}

/* up: resize 2x2 times, nearest                                                                     tiny.det:17
   pool [2, 2, 4] -> up [4, 4, 4] */
static void run_up(void)
{
    static const detc_resize_params layer = {
        .input = {2, 2, 4}, .factor = {2, 2}, .bilinear = 0,
    };
    detc_resize(&layer, at_pool, at_up);
}

/* both: concat                                                                                      tiny.det:18
   up [4, 4, 4] and lite.add [4, 4, 4] -> both [4, 4, 8] */
static void run_both(void)
{
    static const int32_t channels[] = {4, 4};
    static const detc_concat_params layer = {
        .pixels = 16, .inputs = 2, .channels = channels,
    };
    const int8_t *const inputs[] = {at_up, at_lite_add};
    detc_concat(&layer, inputs, at_both);
}

static void (*const LAYERS[NETWORK_LAYERS])(void) = {
    run_stem_conv1,
    run_lite_depthwise,
    run_lite_pointwise,
    run_lite_add,
    run_pool,
    run_up,
    run_both,
};

uint8_t *network_input(void)
{
    return (uint8_t *)at_frame;
}

/* Bytes 0 .. 255 become the int8 numbers -128 .. 127. */
void network_begin(void)
{
    uint8_t *const picture = network_input();
    for (uint32_t i = 0; i < NETWORK_INPUT_BYTES; ++i) {
        picture[i] ^= 0x80u;
    }
}

void network_run_layer(uint32_t layer)
{
    LAYERS[layer]();
}

void network_run(void)
{
    network_begin();
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; ++layer) {
        network_run_layer(layer);
    }
}

const network_layer network_layers[NETWORK_LAYERS] = {
    {"stem.conv1", arena_ram + 192, 64, 1728},
    {"lite.depthwise", arena_ram + 256, 64, 576},
    {"lite.pointwise", arena_ram + 320, 64, 256},
    {"lite.add", arena_ram + 384, 64, 0},
    {"pool", arena_ram + 448, 16, 0},
    {"up", arena_ram + 464, 64, 0},
    {"both", arena_ram + 528, 128, 0},
};

const network_output network_outputs[NETWORK_OUTPUTS] = {
    {"both", arena_ram + 528, 128},
};

const network_pool network_pools[NETWORK_POOLS] = {
    {(uint8_t *)arena_ram, sizeof arena_ram},
};
