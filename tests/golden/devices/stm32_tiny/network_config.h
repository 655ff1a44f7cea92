# own output of detc; rewrite with pytest --update-golden
/* tiny on stm32h747i_disco: int8, 7 layers, 2,560 MACs a picture. */
#ifndef NETWORK_CONFIG_H
#define NETWORK_CONFIG_H

/* The picture: u8 [height, width, channels], rgb. */
#define NETWORK_INPUT_HEIGHT 8
#define NETWORK_INPUT_WIDTH 8
#define NETWORK_INPUT_CHANNELS 3
#define NETWORK_INPUT_BYTES 192

#define NETWORK_LAYERS 7
#define NETWORK_OUTPUTS 1
#define NETWORK_POOLS 1
#define NETWORK_DETECTS 1

/* RAM: what the network takes of each memory, and what the application leaves it there. */
#define NETWORK_ARENA_BYTES 1112
#define NETWORK_ARENA_RAM_BYTES 1112
#define NETWORK_ARENA_RAM_BUDGET 131072

/* Flash: weights, biases, factors and tables; code comes on top. */
#define NETWORK_CONSTANT_BYTES 524

/* Where the pools lie is the application's to say, such as __attribute__((section(".axi"))). */
#ifndef NETWORK_PLACE_RAM
#define NETWORK_PLACE_RAM
#endif
/* The same for the arrays of network_weights.c. */
#ifndef NETWORK_PLACE_WEIGHTS
#define NETWORK_PLACE_WEIGHTS
#endif

/* Kernels read words of 8 bytes and vectors of 16. */
#ifndef NETWORK_ALIGNED
#define NETWORK_ALIGNED __attribute__((aligned(16)))
#endif

/* A budget that is exceeded is an array of -1 elements: it does not compile. */
typedef char network_arena_ram_fits[NETWORK_ARENA_RAM_BYTES <= NETWORK_ARENA_RAM_BUDGET ? 1 : -1];

#endif
