/* What runs before main on an emulated Cortex-M4, M7 or M55, and what catches a fault there. No C library. */
#include <stdint.h>

#include "semihosting.h"

#define CPACR (*(volatile uint32_t *)0xE000ED88u) /* Armv7-M and Armv8-M: Coprocessor Access Control Register */
#define FAULT_STATUS 125                          /* exit status of the emulator after a fault */

typedef void (*handler)(void);

/* From the linker script. */
extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end;

int main(void);
void reset(void);
void fault(void);
void systick(void);

void fault(void)
{
    semihosting_exit(FAULT_STATUS);
}

/* A program that counts ticks has a handler of its own. */
__attribute__((weak)) void systick(void)
{
}

__attribute__((noinline)) static int start(void)
{
    const uint32_t *from = &data_load;
    for (uint32_t *to = &data_start; to < &data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = &bss_start; to < &bss_end;) {
        *to++ = 0u;
    }
    return main();
}

/* The first function must not touch a register of the FPU or of MVE before they are switched on. */
void reset(void)
{
    CPACR |= 0xFu << 20; /* CP10 and CP11: full access */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    semihosting_exit(start());
}

__attribute__((section(".isr"), used)) static const struct {
    uint32_t *stack;
    handler handlers[15];
} vectors = {
    &stack_top,
    {reset, fault, fault, fault, fault, fault, fault, 0, 0, 0, fault, fault, 0, fault, systick},
};
