/* Calls to the machine that runs this program under a debugger or an emulator: Arm's semihosting, "BKPT 0xAB" with the
   operation in r0 and its argument in r1. Needs no C library. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

enum {
    SEMIHOSTING_OPEN = 0x01,
    SEMIHOSTING_CLOSE = 0x02,
    SEMIHOSTING_WRITE0 = 0x04,
    SEMIHOSTING_WRITE = 0x05,
    SEMIHOSTING_READ = 0x06,
    SEMIHOSTING_EXIT_EXTENDED = 0x20,
    SEMIHOSTING_READ_BINARY = 1, /* how a file is opened: fopen's "rb" */
    SEMIHOSTING_WRITE_BINARY = 5 /* "wb" */
};

static inline int32_t semihosting(int32_t operation, const void *argument)
{
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* Ends the emulator; `status` becomes its exit status. */
static inline void semihosting_exit(int32_t status)
{
    const uint32_t block[2] = {0x20026u /* ADP_Stopped_ApplicationExit */, (uint32_t)status};
    for (;;) {
        semihosting(SEMIHOSTING_EXIT_EXTENDED, block);
    }
}

#endif
