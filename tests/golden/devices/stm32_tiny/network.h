# own output of detc; rewrite with pytest --update-golden
/* tiny on stm32h747i_disco: int8, 7 layers, 2,560 MACs a picture.

   Put a picture where network_input() points to, call network_run(), read the outputs:

       memcpy(network_input(), picture, NETWORK_INPUT_BYTES);
       network_run();

   The picture is u8 [8, 8, 3]: rows, columns, channels. Its memory is part of the arena, as the outputs' is: a run
   overwrites the picture, and the next picture overwrites the outputs. Outputs are int8 numbers q, which stand for

     0  both [4, 4, 8]: (q +5) * 0.06

   No heap, no state besides the arena; not reentrant. */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#include "network_config.h"

uint8_t *network_input(void);
void network_run(void);

/* The same in steps: begin, then layer 0 .. NETWORK_LAYERS - 1. Layers that take turns row by row count as one. */
void network_begin(void);
void network_run_layer(uint32_t layer);

typedef struct {
    const char *name;
    const int8_t *data;
    uint32_t bytes;
} network_output;

typedef struct {
    const char *name;
    const int8_t *output;
    uint32_t bytes;
    uint32_t macs;
} network_layer;

typedef struct {
    uint8_t *memory;
    uint32_t bytes;
} network_pool;

extern const network_output network_outputs[NETWORK_OUTPUTS];
extern const network_layer network_layers[NETWORK_LAYERS];
extern const network_pool network_pools[NETWORK_POOLS];

#endif
