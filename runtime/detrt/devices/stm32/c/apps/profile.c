/* Measures every layer and the RAM on a picture from input.bin. Writes 32-bit numbers to profile.bin: ticks of SysTick of
   each layer and of the post-processing, how much of each pool of the arena was written to, and bytes of stack. */
#include "../network.h"
#if NETWORK_DETECTS
#include "../detector.h"
#endif
#include "files.h"

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_START 7u /* on, with its interrupt, at the clock of the core */
#define SYSTICK_BITS 24

#define STACK_MARGIN 64u /* bytes below a frame that are left alone while the stack is painted */

void systick(void);
extern uint8_t end[], stack_top[]; /* from the linker script */

static volatile uint32_t wraps;
static uint32_t results[NETWORK_LAYERS + 1 + NETWORK_POOLS + 1];

void systick(void)
{
    ++wraps;
}

static uint32_t now(void)
{
    uint32_t before, value;
    do {
        before = wraps;
        value = SYSTICK_VALUE;
    } while (before != wraps);
    return (before << SYSTICK_BITS) - value; /* it counts down */
}

static void start_clock(void)
{
    SYSTICK_RELOAD = (1u << SYSTICK_BITS) - 1u;
    SYSTICK_VALUE = 0u;
    SYSTICK_CONTROL = SYSTICK_START;
    while (SYSTICK_VALUE == 0u) { /* it reads 0 until the first tick */
    }
}

/* Noinline: its frame lies below main's, where the network's will lie. */
__attribute__((noinline)) static void paint(uint8_t colour)
{
    for (uint32_t pool = 0; pool < NETWORK_POOLS; ++pool) {
        memset(network_pools[pool].memory, colour, network_pools[pool].bytes);
    }
    volatile uint8_t *const last = (uint8_t *)__builtin_frame_address(0) - STACK_MARGIN;
    for (volatile uint8_t *byte = end; byte < last; ++byte) {
        *byte = colour;
    }
}

static void keep_larger(uint32_t *kept, uint32_t value)
{
    *kept = value > *kept ? value : *kept;
}

/* A byte that was written with the colour itself looks untouched: hence two colours. */
static void measure(uint8_t colour, uint32_t *marks)
{
    for (uint32_t pool = 0; pool < NETWORK_POOLS; ++pool) {
        uint32_t used = network_pools[pool].bytes;
        while (used > 0u && network_pools[pool].memory[used - 1u] == colour) {
            --used;
        }
        keep_larger(&marks[pool], used);
    }
    const volatile uint8_t *lowest = end;
    while (*lowest == colour) {
        ++lowest;
    }
    keep_larger(&marks[NETWORK_POOLS], (uint32_t)(stack_top - lowest));
}

static int32_t run(void)
{
    const int32_t failed = file_read("input.bin", network_input(), NETWORK_INPUT_BYTES);
    network_begin();
    for (uint32_t layer = 0; layer < NETWORK_LAYERS; ++layer) {
        const uint32_t before = now();
        network_run_layer(layer);
        results[layer] = now() - before;
    }
    const uint32_t before = now();
#if NETWORK_DETECTS
    const detc_detection *found;
    detector_find(&found);
#endif
    results[NETWORK_LAYERS] = now() - before;
    return failed;
}

int main(void)
{
    static const uint8_t colours[2] = {0xA5u, 0x5Au};
    int32_t failed = 0;
    start_clock();
    for (uint32_t pass = 0; pass < 2u; ++pass) {
        paint(colours[pass]);
        failed |= run();
        measure(colours[pass], results + NETWORK_LAYERS + 1);
    }
    const file to = file_create("profile.bin");
    failed |= file_write(to, results, sizeof results);
    return (file_close(to) | failed) != 0;
}
